//! Quorum lost for good, and total loss: recognised exactly; acted on only where nothing acknowledged can be missing.

use crate::charter::{Origin, Record, State};
use crate::ids::InstanceId;
use crate::memory::{BackoffKey, Order};
use crate::plan::{Step, StopReason};
use crate::policy::Recovery;
use crate::quorum;
use crate::report::Phase;
use crate::role::Role;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::orders::WITHOUT_A_STORE;
use crate::planner::subjects::restore::Restorable;
use crate::planner::subjects::{any, loss, objection, restore};

/// The record is this survivor's own claim: ask all again, stop, restore its own data into the new generation.
pub(in crate::planner) fn restore_what_i_claimed(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.founder() == Some(s.me()))?;
    let older = s.data_generation().is_some_and(|g| g < record.generation);
    if record.origin != (Origin::Survivor { instance: s.me().clone() }) || !older {
        return None;
    }
    let claimed_at = s.memory.claimed.filter(|(number, _)| *number == record.number).map_or(s.memory.started, |(_, at)| at);
    if let Some(objection) = objection::dissenter(s, record, Some(claimed_at)) {
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
pub(in crate::planner) fn drop_superseded(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    let done = s.seen.local.superseded && s.data_generation() == Some(record.generation) && s.my_member().is_some();
    done.then(|| Decision::act(Phase::Voter, Step::DropSuperseded, "moves the data from before the recovery to the trash"))
}

pub(in crate::planner) fn quorum_lost(s: &Situation<'_>) -> Option<Decision> {
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
        State::Founding { .. } => loss::is_open(s, record),
        State::Retired { .. } => false,
    }
}

/// Another recovers, and answers: nobody has to act here.
fn waits_for_founder(s: &Situation<'_>, record: &Record) -> Option<Decision> {
    let founder =
        record.founder().filter(|f| *f != s.me() && matches!(record.origin, Origin::Survivor { .. } | Origin::Snapshot { .. }))?;
    s.peer(founder)?;
    let says = format!("quorum is lost for good; waits for {founder}, which has claimed the recovery as generation {}", record.generation);
    Some(Decision::wait(Phase::Recovering, says).again_in(s.policy.retry))
}

/// By the charter's voters quorum is lost for good, but this member cannot say how far its data goes: etcd serves nothing after a
/// restart without quorum, because it waits to publish itself (etcd `EtcdServer.publish`).
pub(in crate::planner) fn lost_and_mute(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established && s.data_generation() == Some(r.generation))?;
    // A distribution's server that joins has a directory before it has a log: there is no data yet that could be mute.
    let holds = s.data().is_some_and(|d| d.cluster.is_some());
    if !holds || !s.runs() || s.membership().is_some() || s.memory.quorum.lost_since.is_some() {
        return None;
    }
    if !loss::too_few_are_left(s, record) {
        return None;
    }
    let left = loss::left_of(s, record);
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

fn claim_recovery(s: &Situation<'_>, record: &Record, survivors: &[(InstanceId, Option<u64>)]) -> Decision {
    if let Some(objection) = objection::dissenter(s, record, None) {
        return Decision::halt(Phase::Recovering, format!("quorum is lost for good; before anybody recovers, {objection}"));
    }
    let Some((best, _)) = survivors.iter().max_by_key(|(id, applied)| (*applied, std::cmp::Reverse(id.clone()))) else {
        return Decision::wait(Phase::Recovering, "quorum is lost for good, and no survivor is known");
    };
    if best != s.me() {
        return Decision::wait(Phase::Recovering, format!("quorum is lost for good; {best} has the highest applied index and recovers"));
    }
    if let Some(cut_out) = loss::is_cut_out(s) {
        return cut_out;
    }
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Decision::wait(Phase::Recovering, "the store refused the recovery's claim a moment ago").again_in(s.policy.retry);
    }
    let by_any = loss::any_acts(s, record.voters.len(), survivors.len());
    if let Some(other) = by_any.then(|| any::newer_snapshot(s, record)).flatten() {
        return other;
    }
    let missing = match by_any {
        true => any::may_be_missing(s, survivors.len(), record.voters.len()),
        false => "only writes that were in flight when the others died can be missing".to_owned(),
    };
    let next = loss::claim_of_survivor(s, record);
    let says = format!(
        "quorum is lost for good; claims the recovery as generation {} from its own data, applied up to index {}: {missing}",
        next.generation,
        loss::applied(s, s.me()).unwrap_or_default()
    );
    Decision::act(Phase::Recovering, Step::CreateRecord(next), says)
}

/// The listed voters that are not gone, with their applied index; only if this member's own list equals the charter's.
fn survivors(s: &Situation<'_>, record: &Record) -> Result<Vec<(InstanceId, Option<u64>)>, String> {
    let mine = loss::own_voters(s).ok_or("this member's own list could not be read")?;
    let charter = loss::charter_voters(record);
    if mine != charter {
        return Err(format!(
            "this member's voters ({}) differ from the charter's ({}), so nobody acts by itself. {REMEDY}",
            loss::ids(&mine),
            loss::ids(&charter)
        ));
    }
    Ok(loss::left(s, record).map(|v| (v.instance.clone(), loss::applied(s, &v.instance))).collect())
}

/// Established, and no listed voter's data is left. Where a snapshot can be restored, the rule that founds does it.
pub(in crate::planner) fn total_loss(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.ever_established.is_some())?;
    let stuck = match &record.state {
        State::Founding { founder } => loss::claim_is_void(s, record) || loss::rests_with_nobody(s, record, founder),
        State::Established | State::Retired { .. } => true,
    };
    if !stuck || !s.disk_is_empty() || s.membership().is_some() {
        return None;
    }
    if let Some(objection) = objection::objector(s, record.number, None) {
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
