//! A snapshot that should replace lost data: why it cannot, and how it gets here.

use crate::ids::{Generation, SnapshotKey};
use crate::observation::Fetching;
use crate::snapshot::{Stored, Trigger};
use crate::wait::WaitReason;

use super::{Message, Wait, list, mebibytes, wait, wait_at};

/// Why nothing is restored: the middle of a sentence.
pub(crate) mod obstacle {
    use crate::charter::Record;
    use crate::ids::SnapshotKey;
    use crate::snapshot::Stored;

    use crate::explain::list;

    pub(crate) fn policy_halts() -> String {
        "policy `halt` lets no node restore a snapshot automatically".to_owned()
    }

    pub(crate) fn answers_are_unsigned() -> String {
        "the others say that they hold no data, but their answers are unsigned, and without TLS nothing is restored on them: declare the network \
         trusted (peer.i_trust_this_network_without_tls), or let only one instance live"
            .to_owned()
    }

    pub(crate) fn there_are_none() -> String {
        "this cluster takes no snapshots".to_owned()
    }

    pub(crate) fn final_one_is_gone(key: &SnapshotKey) -> String {
        format!(
            "the cluster was retired to snapshot {key}, which is not in the store: put it back, because every other snapshot lacks the last writes"
        )
    }

    pub(crate) fn is_unknown(key: &SnapshotKey) -> String {
        format!("the store holds no snapshot {key}: `quorate snapshot list` shows what it holds")
    }

    pub(crate) fn is_damaged(key: &SnapshotKey, why: &str) -> String {
        format!("snapshot {key} is not what its manifest says: {why}")
    }

    pub(crate) fn is_of_another(stored: &Stored, record: &Record) -> String {
        format!(
            "snapshot {} is of generation {} of etcd cluster {}, which is not in the history of {record}: a snapshot of another history is never restored here",
            stored.key, stored.manifest.generation, stored.manifest.etcd_cluster
        )
    }

    pub(crate) fn none_verifies<'a>(
        record: &Record,
        listed: usize,
        refused: impl Iterator<Item = (&'a SnapshotKey, &'a String)>,
    ) -> String {
        let refused = list(refused.map(|(key, why)| format!("{key}: {why}")), "; ");
        let refused = if refused.is_empty() { refused } else { format!(" ({refused})") };
        format!(
            "none of the {listed} snapshots in the store belongs to this cluster's generation {} and verifies{refused}",
            record.generation
        )
    }

    pub(crate) fn a_claim_stands() -> String {
        "a claim stands in the way".to_owned()
    }
}

pub(crate) fn snapshots_were_not_read(why: &str) -> Wait {
    wait(WaitReason::Store, format!("waits to read which snapshots the store holds: {why}"))
}

pub(crate) fn snapshots_are_listed_again() -> Wait {
    wait(WaitReason::Store, "waits to list the store's snapshots again: no quorum takes more")
}

pub(crate) fn is_fetched(fetching: &Fetching) -> Wait {
    let (bytes, of) = (mebibytes(fetching.bytes), mebibytes(fetching.of));
    let message = format!("reads snapshot {} from the store and verifies it ({bytes} of {of} MiB)", fetching.key);
    wait_at(WaitReason::Fetch, fetching.bytes, message)
}

pub(crate) fn could_not_fetch(failed: &SnapshotKey, why: &str) -> Wait {
    wait(WaitReason::Fetch, format!("could not read snapshot {failed} from the store, and retries: {why}"))
}

pub(crate) fn could_not_begin_to_fetch(key: &SnapshotKey) -> Wait {
    wait(WaitReason::Fetch, format!("could not start to read snapshot {key} a moment ago"))
}

/// Why a snapshot is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// An operator ordered it.
    Ordered,
    /// The cluster was retired to it.
    Retired,
    /// Every voter's data is lost.
    TotalLoss,
    /// Too few voters are left.
    QuorumLost,
}

/// `passed_over`: later objects of the store that cannot be used, and why.
pub(crate) fn fetches(why: Wanted, key: &SnapshotKey, passed_over: &[(String, &str)]) -> Message {
    let why = match why {
        Wanted::Ordered => "an operator ordered it",
        Wanted::Retired => "the cluster was retired to it",
        Wanted::TotalLoss => "every voter's data is lost",
        Wanted::QuorumLost => "quorum is lost for good",
    };
    let named = list(passed_over.iter().map(|(at, why)| format!("{at}: {why}")), "; ");
    let passed_over = if named.is_empty() { named } else { format!("; PASSES OVER {named}") };
    format!("{why}; reads snapshot {key} from the store and verifies it{passed_over}").into()
}

pub(crate) fn could_not_restore(key: &SnapshotKey, why: &str) -> Wait {
    wait(WaitReason::Restore, format!("could not restore snapshot {key}, and retries: {why}"))
}

pub(crate) fn restores(key: &SnapshotKey, generation: Generation, stored: Option<&Stored>) -> Message {
    let revision = stored.map_or_else(String::new, |stored| match stored.manifest.trigger {
        Trigger::Final => format!(" of revision {}, the last voter's final one", stored.manifest.revision),
        _ => format!(" of revision {}: every later write is lost", stored.manifest.revision),
    });
    format!("restores snapshot {key} as generation {generation}{revision}").into()
}
