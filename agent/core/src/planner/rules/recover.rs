//! Quorum lost for good, and total loss: recognised exactly, and acted on only where nothing acknowledged can be missing.

use crate::charter::{Origin, Record, State};
use crate::explain::Wait;
use crate::explain::recovering::{self as explain, Missing, Mute};
use crate::explain::restoring::obstacle;
use crate::ids::InstanceId;
use crate::memory::{BackoffKey, Order};
use crate::plan::{Step, StopReason};
use crate::policy::Recovery;
use crate::quorum;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::restore::Restorable;
use crate::planner::subjects::{any, loss, objection, restore};

/// Carries out this survivor's own claim: asks all others again, stops, and restores its own data into the new generation.
pub(in crate::planner) fn restore_what_i_claimed(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.founder() == Some(s.me()))?;
    let older = s.data_generation().is_some_and(|g| g < record.generation);
    if record.origin != (Origin::Survivor { instance: s.me().clone() }) || !older {
        return None;
    }
    let claimed_at = s.memory.claimed.filter(|(number, _)| *number == record.number).map_or(s.memory.started, |(_, at)| at);
    if let Some(objection) = objection::dissenter(s, record, Some(claimed_at)) {
        return Some(objection.holds_up(Phase::Recovering, explain::may_not_restore_yet(&objection)).again_in(s.policy.retry));
    }
    if s.memory.waits(BackoffKey::Restore, s.now) {
        let why = s.memory.last_trouble.clone().unwrap_or_default();
        return Some(Decision::halt(Phase::Recovering, explain::could_not_restore(&why)).again_in(s.policy.retry));
    }
    Some(if s.runs() {
        Decision::act(Phase::Recovering, Step::StopMember(StopReason::Recover), explain::stops_to_restore())
    } else {
        let step = Step::RestoreOwnData { generation: record.generation, token: record.token(), transport: record.transport };
        Decision::act(Phase::Recovering, step, explain::restores_own_data(record.generation))
    })
}

/// Deletes the old copy of a recovery, which is kept until the new generation is established.
pub(in crate::planner) fn drop_superseded(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    let done = s.seen.local.superseded && s.data_generation() == Some(record.generation) && s.my_member().is_some();
    done.then(|| Decision::act(Phase::Voter, Step::DropSuperseded, explain::drops_old_copy()))
}

pub(in crate::planner) fn quorum_lost(s: &Situation<'_>) -> Option<Decision> {
    let since = s.memory.quorum.lost_since?;
    let record = s.record()?;
    if !acts(s, record) {
        return waits_for_founder(s, record);
    }
    let halt = |wait| Some(Decision::halt(Phase::Recovering, wait));
    let survivors = match survivors(s, record) {
        Ok(survivors) => survivors,
        Err(wait) => return halt(wait),
    };
    let voters = record.voters.len();
    let enough = quorum::meets_every_quorum(voters, survivors.len()) || s.policy.recovery == Recovery::Any;
    if s.policy.recovery == Recovery::Halt || !enough {
        return halt(explain::policy_forbids(survivors.len(), voters, s.policy.recovery));
    }
    if !s.has_store() && s.order() != Some(Order::Bootstrap) {
        return halt(explain::there_is_no_store());
    }
    if s.rests_on_unproved_answers() {
        return halt(explain::answers_are_unsigned());
    }
    let at = since + s.policy.quorum_loss_grace;
    if s.now < at {
        return Some(Decision::wait(Phase::Recovering, explain::missing_may_come_back()).until(Some(at)));
    }
    Some(claim_recovery(s, record, &survivors))
}

/// This generation is lost, or the node that claimed to bring it back never will.
fn acts(s: &Situation<'_>, record: &Record) -> bool {
    match &record.state {
        State::Established => s.data_generation() == Some(record.generation),
        State::Founding { .. } => loss::is_open(s, record),
        State::Retired { .. } => false,
    }
}

/// The wait for another node that recovers and answers: nothing has to be done here.
fn waits_for_founder(s: &Situation<'_>, record: &Record) -> Option<Decision> {
    let founder =
        record.founder().filter(|f| *f != s.me() && matches!(record.origin, Origin::Survivor { .. } | Origin::Snapshot { .. }))?;
    s.peer(founder)?;
    Some(Decision::wait(Phase::Recovering, explain::another_recovers(founder, record.generation)).again_in(s.policy.retry))
}

/// By the charter's voters quorum is lost for good, but this member cannot say how far its data goes: after a restart without quorum etcd serves
/// nothing, because it waits to publish itself (etcd `EtcdServer.publish`).
pub(in crate::planner) fn lost_and_mute(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established && s.data_generation() == Some(r.generation))?;
    // A distribution's server that joins has a directory before it has a log: it holds no data yet.
    let holds = s.data().is_some_and(|d| d.cluster.is_some());
    if !holds || !s.runs() || s.membership().is_some() || s.memory.quorum.lost_since.is_some() {
        return None;
    }
    if !loss::too_few_are_left(s, record) {
        return None;
    }
    let left = loss::left_of(s, record);
    let why = if record.lists(s.me()) { Mute::Restarted } else { Mute::NeverVoted };
    Some(Decision::halt(Phase::Recovering, explain::is_mute(left, record.voters.len(), why)))
}

fn claim_recovery(s: &Situation<'_>, record: &Record, survivors: &[(InstanceId, Option<u64>)]) -> Decision {
    if let Some(objection) = objection::dissenter(s, record, None) {
        return Decision::halt(Phase::Recovering, explain::others_object(&objection));
    }
    let Some((best, _)) = survivors.iter().max_by_key(|(id, applied)| (*applied, std::cmp::Reverse(id.clone()))) else {
        return Decision::wait(Phase::Recovering, explain::no_survivor_is_known());
    };
    if best != s.me() {
        return Decision::wait(Phase::Recovering, explain::another_goes_further(best));
    }
    if let Some(cut_out) = loss::is_cut_out(s) {
        return cut_out;
    }
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Decision::wait(Phase::Recovering, explain::store_refused_claim()).again_in(s.policy.retry);
    }
    let by_any = loss::any_acts(s, record.voters.len(), survivors.len());
    if let Some(other) = by_any.then(|| any::newer_snapshot(s, record)).flatten() {
        return other;
    }
    let missing = match by_any {
        true => any::may_be_missing(s, survivors.len(), record.voters.len()),
        false => Missing::InFlight,
    };
    let next = loss::claim_of_survivor(s, record);
    let message = explain::claims(next.generation, loss::applied(s, s.me()).unwrap_or_default(), missing);
    Decision::act(Phase::Recovering, Step::CreateRecord(next), message)
}

/// The listed voters that are not gone, with their applied index; only if this member's own list equals the charter's.
fn survivors(s: &Situation<'_>, record: &Record) -> Result<Vec<(InstanceId, Option<u64>)>, Wait> {
    let mine = loss::own_voters(s).ok_or_else(explain::own_list_was_not_read)?;
    let charter = loss::charter_voters(record);
    if mine != charter {
        return Err(explain::lists_differ(&mine, &charter));
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
        if s.ways().is_let_in {
            // A joiner cannot read etcd: the rule that lets it join says what it waits for.
            return None;
        }
        return Some(objection.holds_up(Phase::Waiting, explain::cluster_does_not_answer(&objection)).again_in(s.policy.retry));
    }
    let why = match restore::restorable(s) {
        Restorable::From(_) => return None,
        Restorable::Waits(wait) => return Some(Decision::wait(Phase::Recovering, wait).again_in(s.policy.retry)),
        Restorable::Halts(why) => why,
        Restorable::No => obstacle::a_claim_stands(),
    };
    Some(Decision::halt(Phase::Halted, explain::is_total(record, &why, &s.seen.me.cluster)))
}
