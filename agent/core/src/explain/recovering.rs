//! Quorum lost for good, and total loss.

use std::fmt::Display;

use crate::charter::Record;
use crate::ids::{ClusterName, Generation, InstanceId, MemberId};
use crate::policy::Recovery;
use crate::snapshot::Stored;
use crate::wait::WaitReason;

use super::{Message, Wait, list, wait};

/// The end of every report of a halted recovery.
const REMEDY: &str =
    "`quorate recover` shows what each way would keep and lose: `recover --survivor`, `recover --snapshot newest`, `recover --fresh`";

fn lost(reason: WaitReason, what: impl Display) -> Wait {
    wait(reason, format!("quorum is lost for good; {what}"))
}

pub(crate) fn may_not_restore_yet(objection: &dyn Display) -> Wait {
    wait(WaitReason::Consent, format!("claimed the recovery but does not restore its data yet: {objection}"))
}

pub(crate) fn could_not_restore(why: &str) -> Wait {
    wait(WaitReason::Restore, format!("could not restore its own data, and retries: {why}"))
}

pub(crate) fn stops_to_restore() -> Message {
    "stops etcd to restore its own data into a new generation".into()
}

pub(crate) fn restores_own_data(generation: Generation) -> Message {
    format!("restores its own data as generation {generation}, and keeps the old copy").into()
}

pub(crate) fn drops_old_copy() -> Message {
    "moves the data from before the recovery to the trash".into()
}

pub(crate) fn own_list_was_not_read() -> Wait {
    lost(WaitReason::QuorumLost, "this member's own list could not be read")
}

pub(crate) fn lists_differ(own: &[MemberId], charter: &[MemberId]) -> Wait {
    let (own, charter) = (list(own, " "), list(charter, " "));
    let what = format!("this member's voters ({own}) differ from the charter's ({charter}), so no node recovers automatically. {REMEDY}");
    lost(WaitReason::QuorumLost, what)
}

pub(crate) fn policy_forbids(survivors: usize, voters: usize, policy: Recovery) -> Wait {
    let what = format!(
        "{survivors} of {voters} voters survive, and policy `{}` does not let them act: acknowledged writes could be missing. {REMEDY}",
        match policy {
            Recovery::Safe => "safe",
            Recovery::Any => "any",
            Recovery::Halt => "halt",
        }
    );
    lost(WaitReason::QuorumLost, what)
}

pub(crate) fn there_is_no_store() -> Wait {
    let what =
        "without a store nothing is recovered automatically: `quorate bootstrap` on one survivor makes it recover from its own data; `quorate recover` shows the other ways".to_owned();
    lost(WaitReason::NoStore, what)
}

pub(crate) fn answers_are_unsigned() -> Wait {
    let what = format!(
        "the survivors' answers are unsigned, and without TLS nothing is recovered automatically: declare the network trusted (peer.i_trust_this_network_without_tls). {REMEDY}"
    );
    lost(WaitReason::SignedAnswers, what)
}

pub(crate) fn missing_may_come_back() -> Wait {
    lost(WaitReason::QuorumLossGrace, "gives the missing voters time to come back")
}

pub(crate) fn another_recovers(founder: &InstanceId, generation: Generation) -> Wait {
    lost(WaitReason::Founder, format!("waits for {founder}, which has claimed the recovery as generation {generation}"))
}

/// Why a member of a lost quorum cannot continue from its own data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mute {
    /// etcd serves nothing after a restart without quorum.
    Restarted,
    /// The charter does not list it.
    NeverVoted,
}

pub(crate) fn is_mute(left: usize, voters: usize, why: Mute) -> Wait {
    let mine = match why {
        Mute::Restarted => "its etcd was restarted since and cannot report how far its data goes",
        Mute::NeverVoted => "its data never became a voter's",
    };
    let message = format!(
        "quorum is lost for good: {left} of {voters} voters are left; {mine}, so no node recovers automatically. `quorate recover` shows what is known"
    );
    wait(WaitReason::QuorumLost, message)
}

pub(crate) fn others_object(objection: &dyn Display) -> Wait {
    lost(WaitReason::Consent, format!("no node recovers yet: {objection}"))
}

pub(crate) fn no_survivor_is_known() -> Wait {
    wait(WaitReason::QuorumLost, "quorum is lost for good, and no survivor is known")
}

pub(crate) fn another_goes_further(best: &InstanceId) -> Wait {
    lost(WaitReason::Founder, format!("{best} has the highest applied index and recovers"))
}

pub(crate) fn store_refused_claim() -> Wait {
    wait(WaitReason::StoreRefused, "the store refused the recovery's claim a moment ago")
}

/// What may be missing when a cluster continues from a survivor's own data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Missing {
    /// The survivors meet every quorum.
    InFlight,
    /// They do not, and policy `any` acts.
    Acknowledged {
        survivors: usize,
        voters: usize,
        /// The last revision of this node's data.
        revision: u64,
    },
}

pub(crate) fn claims(generation: Generation, applied: u64, missing: Missing) -> Message {
    let missing = match missing {
        Missing::InFlight => "only writes in flight when the others died can be missing".to_owned(),
        Missing::Acknowledged { survivors, voters, revision } => format!(
            "{survivors} of {voters} voters survive and policy `any` acts: acknowledged writes after revision {revision} can be missing"
        ),
    };
    format!("quorum is lost for good; claims the recovery as generation {generation} from its own data, applied up to index {applied}: {missing}")
        .into()
}

pub(crate) fn revision_is_unknown() -> Wait {
    wait(WaitReason::QuorumLost, "quorum is lost for good, and this member does not report the last revision of its data")
}

pub(crate) fn snapshots_were_not_read(revision: u64, why: &str) -> Wait {
    lost(WaitReason::Store, format!("waits to read whether a snapshot is newer than revision {revision}: {why}"))
}

pub(crate) fn leaver_restores_none(snapshot: &Stored, revision: u64) -> Wait {
    let what = format!("snapshot {} is newer than revision {revision}, but a leaving instance restores none", snapshot.key);
    lost(WaitReason::Founder, what)
}

pub(crate) fn claims_newer_snapshot(generation: Generation, snapshot: &Stored, mine: u64) -> Message {
    format!(
        "quorum is lost for good; claims generation {generation} to restore snapshot {} of revision {}, which is newer than revision {mine} of the best survivor: every later write is lost",
        snapshot.key, snapshot.manifest.revision
    )
    .into()
}

pub(crate) fn group_was_not_read(why: &str) -> Wait {
    lost(WaitReason::Group, format!("waits to read which instances its group lists: {why}"))
}

pub(crate) fn is_cut_out() -> Wait {
    let message = "quorum is lost for good, and this node's data goes furthest; but its group does not list it, and IMDS does not say that it was detached: attach it again, or run `quorate recover`";
    wait(WaitReason::NotInGroup, message)
}

pub(crate) fn cluster_does_not_answer(objection: &dyn Display) -> Wait {
    wait(WaitReason::Consent, format!("the cluster does not answer, and is not founded again yet: {objection}"))
}

pub(crate) fn is_total(record: &Record, why: &str, cluster: &ClusterName) -> Wait {
    let message = format!(
        "every voter of the established cluster is gone with its data ({record}); {why}. `quorate recover` shows what could be restored; `quorate recover --fresh --cluster {cluster}` on one node founds an EMPTY cluster"
    );
    wait(WaitReason::TotalLoss, message)
}
