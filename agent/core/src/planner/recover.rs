//! Quorum lost for good, and total loss: recognised exactly; acted on only where nothing acknowledged can be missing.

use crate::charter::{ListedVoter, Origin, Record, State};
use crate::ids::{InstanceId, MemberId};
use crate::memory::{BackoffKey, Order};
use crate::observation::{DataClaim, Member};
use crate::plan::{Step, StopReason};
use crate::policy::Recovery;
use crate::quorum;
use crate::report::Phase;
use crate::role::Role;
use crate::situation::{Situation, Word};

use super::bootstrap::WITHOUT_A_STORE;
use super::charter::successor;
use super::decision::Decision;
use super::objection::{dissenter, objector};
use super::restore::{self, Restorable};
use super::{any, ordered};

pub(super) fn decide(s: &Situation<'_>) -> Option<Decision> {
    if s.order() == Some(Order::RecoverFresh) || ordered::snapshot_wanted(s).is_some() {
        return None;
    }
    restore_what_i_claimed(s)
        .or_else(|| drop_superseded(s))
        .or_else(|| ordered::survivor(s))
        .or_else(|| quorum_lost(s))
        .or_else(|| lost_and_mute(s))
        .or_else(|| total_loss(s))
}

/// The record is this survivor's own claim: ask all again, stop, restore its own data into the new generation.
fn restore_what_i_claimed(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.founder() == Some(s.me()))?;
    let older = s.data_generation().is_some_and(|g| g < record.generation);
    if record.origin != (Origin::Survivor { instance: s.me().clone() }) || !older {
        return None;
    }
    let claimed_at = s.memory.claimed.filter(|(number, _)| *number == record.number).map_or(s.memory.started, |(_, at)| at);
    if let Some(objection) = dissenter(s, record, Some(claimed_at)) {
        let says = format!("claimed the recovery; before it restores its data, {objection}");
        return Some(objection.holds_up(Phase::Recovering, says).again_in(s.policy.retry));
    }
    if s.memory.waits(BackoffKey::Restore, s.now) {
        let why = s.memory.last_trouble.clone().unwrap_or_default();
        let says = format!("could not restore its own data, and tries again: {why}");
        return Some(Decision::halt(Phase::Recovering, says).again_in(s.policy.retry));
    }
    Some(if s.runs() {
        Decision::act(Phase::Recovering, Step::StopMember(StopReason::Recover), "stops etcd to restore its own data into a new generation")
    } else {
        let step = Step::RestoreOwnData { generation: record.generation, token: record.token() };
        Decision::act(Phase::Recovering, step, format!("restores its own data as generation {}, and keeps the old copy", record.generation))
    })
}

/// The old copy of a recovery is kept until the new generation is established.
fn drop_superseded(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    let done = s.seen.local.superseded && s.data_generation() == Some(record.generation) && s.my_member().is_some();
    done.then(|| Decision::act(Phase::Voter, Step::DropSuperseded, "moves the data from before the recovery to the trash"))
}

/// Whether the local member's own list can never reach quorum again: no leader, and too few voters that are not gone.
/// Voters that are merely silent are a partition, and nobody acts on a partition.
pub(crate) fn loses_quorum_for_good(s: &Situation<'_>) -> bool {
    if s.membership().is_some() {
        return false;
    }
    let Some(me) = s.data().and_then(|d| d.member) else { return false };
    s.status(me).is_some_and(|status| status.leader.is_none()) && own_list_is_lost(s, me)
}

fn quorum_lost(s: &Situation<'_>) -> Option<Decision> {
    let since = s.memory.quorum.lost_since?;
    let record = s.record()?;
    if !acts(s, record) {
        return waits_for_founder(s, record);
    }
    let halt = |why: String| Some(Decision::halt(Phase::Recovering, format!("quorum is lost for good; {why}")));
    let survivors = match survivors(s, record) {
        Ok(survivors) => survivors,
        Err(why) => return halt(why),
    };
    let voters = record.voters.len();
    let enough = quorum::meets_every_quorum(voters, survivors.len()) || s.policy.recovery == Recovery::Any;
    if s.policy.recovery == Recovery::Halt || !enough {
        return halt(format!(
            "{} of {voters} voters survive, and policy {:?} does not let them act: acknowledged writes could be missing. {REMEDY}",
            survivors.len(),
            s.policy.recovery,
        ));
    }
    if !s.has_store() && s.order() != Some(Order::Bootstrap) {
        return halt(format!(
            "{WITHOUT_A_STORE}, nor recovered: `quorate bootstrap` on one survivor has it recover from its own data; `quorate recover` shows what else could be done"
        ));
    }
    let rests_on_answers = s.others().iter().any(|id| !s.is_gone(id));
    if !s.policy.network_trusted && rests_on_answers {
        return halt(format!(
            "the survivors' answers are unsigned: without TLS nobody recovers by itself; declare the network trusted (peer.i_trust_this_network_without_tls). {REMEDY}"
        ));
    }
    let at = since + s.policy.quorum_loss_grace;
    if s.now < at {
        let says = "quorum is lost for good; waits whether the missing come back";
        return Some(Decision::wait(Phase::Recovering, says).until(Some(at)));
    }
    Some(claim_recovery(s, record, &survivors))
}

/// What every halt of a recovery ends with.
const REMEDY: &str =
    "`quorate recover` shows what would be kept and lost by each way: `recover --survivor`, `recover --snapshot newest`, `recover --fresh`";

/// This generation is lost, or whoever claimed to bring it back never will.
fn acts(s: &Situation<'_>, record: &Record) -> bool {
    match &record.state {
        State::Established => s.data_generation() == Some(record.generation),
        State::Founding { .. } => is_open(s, record),
        State::Retired { .. } => false,
    }
}

/// Nobody carries the record's claim out, or there is none: a recovery may be decided on it.
pub(super) fn is_open(s: &Situation<'_>, record: &Record) -> bool {
    let Some(founder) = record.founder() else { return record.state == State::Established };
    let left_behind = matches!(record.origin, Origin::Snapshot { .. }) && rests_with_nobody(s, record, founder);
    claim_is_void(s, record) || left_behind
}

/// Another recovers, and answers: nobody has to act here.
fn waits_for_founder(s: &Situation<'_>, record: &Record) -> Option<Decision> {
    let founder =
        record.founder().filter(|f| *f != s.me() && matches!(record.origin, Origin::Survivor { .. } | Origin::Snapshot { .. }))?;
    s.peer(founder)?;
    let says = format!("quorum is lost for good; waits for {founder}, which has claimed the recovery as generation {}", record.generation);
    Some(Decision::wait(Phase::Recovering, says).again_in(s.policy.retry))
}

/// The survivor that claimed will never restore: it is gone, or says itself that its data is, both the old and what it claimed.
fn claim_is_void(s: &Situation<'_>, record: &Record) -> bool {
    let Some(founder) = record.founder().filter(|_| matches!(record.origin, Origin::Survivor { .. })) else { return false };
    let listed = |id| record.voters.iter().any(|v| v.instance == *founder && v.member == id);
    let has_lost_it = match s.peer(founder).map(|p| &p.data) {
        Some(DataClaim::None) => true,
        Some(DataClaim::Holds { member, generation: Some(generation), .. }) => *generation < record.generation && !listed(*member),
        Some(DataClaim::Holds { generation: None, .. } | DataClaim::Unknown) | None => false,
    };
    s.is_gone(founder) || (s.policy.network_trusted && has_lost_it && s.word_of(founder) == Some(Word::Signed))
}

/// By the charter's voters quorum is lost for good, but this member cannot say how far its data goes: etcd serves nothing after a
/// restart without quorum, because it waits to publish itself (etcd `EtcdServer.publish`).
fn lost_and_mute(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established && s.data_generation() == Some(r.generation))?;
    // A distribution's server that joins has a directory before it has a log: there is no data yet that could be mute.
    let holds = s.data().is_some_and(|d| d.cluster.is_some());
    if !holds || !s.runs() || s.membership().is_some() || s.memory.quorum.lost_since.is_some() {
        return None;
    }
    if !too_few_are_left(s, record) {
        return None;
    }
    let left = left_of(s, record);
    let mine = if record.lists(s.me()) {
        "its etcd was restarted since and cannot say how far its data goes"
    } else {
        "its data never became a voter's"
    };
    Some(Decision::halt(
        Phase::Recovering,
        format!(
            "quorum is lost for good: {left} of {} voters are left; {mine}, so nobody recovers by itself. `quorate recover` shows what is known",
            record.voters.len()
        ),
    ))
}

/// What the record and the local member's own list say of the voters, for an operator to see.
pub(crate) struct Facts {
    /// By the record's voters quorum is lost for good.
    pub(crate) is_lost: bool,
    /// So many of them are not gone.
    pub(crate) left: usize,
    /// The local list and the charter's, where they differ.
    pub(crate) voters_differ: Option<(Vec<MemberId>, Vec<MemberId>)>,
}

/// What the record and the local member's own list say of the voters.
pub(crate) fn facts_of_recovery(s: &Situation<'_>, record: &Record) -> Facts {
    let charter = charter_voters(record);
    let own = own_voters(s).filter(|own| *own != charter && s.data_generation() == Some(record.generation));
    Facts { is_lost: too_few_are_left(s, record), left: left_of(s, record), voters_differ: own.map(|own| (own, charter)) }
}

/// By the record's voters quorum is lost for good.
pub(super) fn too_few_are_left(s: &Situation<'_>, record: &Record) -> bool {
    quorum::lost(record.voters.len(), left_of(s, record))
}

pub(super) fn left_of(s: &Situation<'_>, record: &Record) -> usize {
    left(s, record).count()
}

/// The listed voters whose data is there still, or may be: not gone, and of this node what its own disk says.
pub(super) fn left<'a>(s: &Situation<'a>, record: &'a Record) -> impl Iterator<Item = &'a ListedVoter> {
    let mine = !s.disk_is_empty();
    let gone: Vec<&ListedVoter> = record.voters.iter().filter(|v| v.instance != *s.me() && s.voter_is_gone(v)).collect();
    let me = s.me();
    record.voters.iter().filter(move |v| if v.instance == *me { mine } else { !gone.contains(v) })
}

/// Why the group's list does not let it claim. A detached survivor holds the data all the same and is not gone, so nobody else may act while
/// it lives; but one that its group lists no more without having detached it does not know whom else it should ask.
pub(super) fn is_cut_out(s: &Situation<'_>) -> Option<Decision> {
    let Some(listed) = s.seen.cloud.listed.fresh() else {
        let says = format!("quorum is lost for good; waits to read whom its group lists: {}", s.seen.cloud.listed.why_not_fresh());
        return Some(Decision::wait(Phase::Recovering, says).again_in(s.policy.retry));
    };
    if listed.contains_key(s.me()) || s.is_detached() {
        return None;
    }
    let says = "quorum is lost for good, and this node's data goes furthest; but its group does not list it, and IMDS does not say that it was detached: attach it again, or `quorate recover`";
    Some(Decision::halt(Phase::Recovering, says))
}

fn claim_recovery(s: &Situation<'_>, record: &Record, survivors: &[(InstanceId, Option<u64>)]) -> Decision {
    if let Some(objection) = dissenter(s, record, None) {
        return Decision::halt(Phase::Recovering, format!("quorum is lost for good; before anybody recovers, {objection}"));
    }
    let Some((best, _)) = survivors.iter().max_by_key(|(id, applied)| (*applied, std::cmp::Reverse(id.clone()))) else {
        return Decision::wait(Phase::Recovering, "quorum is lost for good, and no survivor is known");
    };
    if best != s.me() {
        return Decision::wait(Phase::Recovering, format!("quorum is lost for good; {best} has the highest applied index and recovers"));
    }
    if let Some(cut_out) = is_cut_out(s) {
        return cut_out;
    }
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Decision::wait(Phase::Recovering, "the store refused the recovery's claim a moment ago").again_in(s.policy.retry);
    }
    let by_any = any::acts(s, record.voters.len(), survivors.len());
    if let Some(other) = by_any.then(|| any::newer_snapshot(s, record)).flatten() {
        return other;
    }
    let missing = match by_any {
        true => any::may_be_missing(s, survivors.len(), record.voters.len()),
        false => "only writes that were in flight when the others died can be missing".to_owned(),
    };
    let next = claim_of_survivor(s, record);
    let says = format!(
        "quorum is lost for good; claims the recovery as generation {} from its own data, applied up to index {}: {missing}",
        next.generation,
        applied(s, s.me()).unwrap_or_default()
    );
    Decision::act(Phase::Recovering, Step::CreateRecord(next), says)
}

/// The record by which this node's own data becomes the next generation.
pub(super) fn claim_of_survivor(s: &Situation<'_>, record: &Record) -> Record {
    Record {
        generation: record.generation.next(),
        origin: Origin::Survivor { instance: s.me().clone() },
        state: State::Founding { founder: s.me().clone() },
        etcd_cluster: None,
        ancestors: record.lineage(),
        ..successor(record)
    }
}

/// The listed voters that are not gone, with their applied index; only if this member's own list equals the charter's.
fn survivors(s: &Situation<'_>, record: &Record) -> Result<Vec<(InstanceId, Option<u64>)>, String> {
    let mine = own_voters(s).ok_or("this member's own list could not be read")?;
    let charter = charter_voters(record);
    if mine != charter {
        return Err(format!(
            "this member's voters ({}) differ from the charter's ({}), so nobody acts by itself. {REMEDY}",
            ids(&mine),
            ids(&charter)
        ));
    }
    Ok(left(s, record).map(|v| (v.instance.clone(), applied(s, &v.instance))).collect())
}

/// The voters by the local member's own list, sorted; none where it does not say.
pub(super) fn own_voters(s: &Situation<'_>) -> Option<Vec<MemberId>> {
    let list = s.seen.etcd.local_list.fresh()?;
    let mut mine: Vec<_> = list.iter().filter(|m| !m.learner).map(|m| m.id).collect();
    mine.sort();
    Some(mine)
}

/// The voters by the charter, sorted.
pub(super) fn charter_voters(record: &Record) -> Vec<MemberId> {
    let mut charter: Vec<_> = record.voters.iter().map(|v| v.member).collect();
    charter.sort();
    charter
}

/// By the local member's own list too few voters are left; not where it does not say.
pub(super) fn own_list_is_lost(s: &Situation<'_>, me: MemberId) -> bool {
    let Some(list) = s.seen.etcd.local_list.fresh() else { return false };
    let voters: Vec<&Member> = list.iter().filter(|m| !m.learner).collect();
    quorum::lost(voters.len(), voters.iter().filter(|m| m.id == me || !s.member_is_gone(m)).count())
}

pub(super) fn ids(members: &[MemberId]) -> String {
    members.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The last revision of its keys, as its own etcd says.
pub(super) fn revision(s: &Situation<'_>, instance: &InstanceId) -> Option<u64> {
    if instance == s.me() {
        return s.data().and_then(|d| d.member).and_then(|id| s.status(id)).and_then(|status| status.revision);
    }
    match s.peer(instance).map(|p| &p.data) {
        Some(DataClaim::Holds { revision, .. }) => *revision,
        Some(DataClaim::Unknown | DataClaim::None) | None => None,
    }
}

/// How far its data has been applied, as its own etcd says.
pub(super) fn applied(s: &Situation<'_>, instance: &InstanceId) -> Option<u64> {
    if instance == s.me() {
        return s.data().and_then(|d| d.member).and_then(|id| s.status(id)).map(|status| status.applied);
    }
    match s.peer(instance).map(|p| &p.data) {
        Some(DataClaim::Holds { applied, .. }) => *applied,
        Some(DataClaim::Unknown | DataClaim::None) | None => None,
    }
}

/// A survivor's claim of this node, whose data is gone; or one to restore a snapshot whose founder is gone, or is this node and cannot carry it out.
fn rests_with_nobody(s: &Situation<'_>, record: &Record, founder: &InstanceId) -> bool {
    let mine = founder == s.me();
    match &record.origin {
        Origin::Survivor { .. } => mine,
        Origin::Snapshot { key } => {
            let of_this_run = s.memory.claimed.is_some_and(|(number, _)| number == record.number);
            s.is_gone(founder) || (mine && (!of_this_run || s.memory.snapshots.refused.contains_key(key)))
        }
        Origin::Empty | Origin::Fresh => false,
    }
}

/// Established, and no listed voter's data is left. Where a snapshot can be restored, the rule that founds does it.
fn total_loss(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.ever_established.is_some())?;
    let stuck = match &record.state {
        State::Founding { founder } => claim_is_void(s, record) || rests_with_nobody(s, record, founder),
        State::Established | State::Retired { .. } => true,
    };
    if !stuck || !s.disk_is_empty() || s.membership().is_some() {
        return None;
    }
    if let Some(objection) = objector(s, record.number, None) {
        if s.seen.me.role == Role::ControlPlane {
            // A joiner cannot read etcd: what it waits for is told by the rule that lets it join.
            return None;
        }
        let says = format!("the cluster does not answer, and is not founded again: {objection}");
        return Some(objection.holds_up(Phase::Waiting, says).again_in(s.policy.retry));
    }
    let why = match restore::restorable(s) {
        Restorable::From(_) => return None,
        Restorable::Waits(why) => return Some(Decision::wait(Phase::Recovering, why).again_in(s.policy.retry)),
        Restorable::Halts(why) => why,
        Restorable::No => "a claim stands in the way".to_owned(),
    };
    Some(Decision::halt(
        Phase::Halted,
        format!(
            "every voter of the established cluster is gone, and its data with them ({record}); {why}. `quorate recover` shows what could be restored; `quorate recover --fresh --cluster {}` on one node founds an EMPTY cluster",
            s.seen.me.cluster
        ),
    ))
}
