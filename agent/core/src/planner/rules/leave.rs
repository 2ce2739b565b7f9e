//! Leaving: wait until it is safe, hand over, be removed while still running, have that confirmed, stop, and only then complete the hook.

use crate::explain::ending::{Last, obstacle};
use crate::explain::hooks::Standing;
use crate::explain::leaving::{self, Awaited};
use crate::explain::removing;
use crate::memory::{BackoffKey, Order};
use crate::observation::{Alarm, Lock, Member, Membership, Transition};
use crate::plan::{AsideReason, HookResult, LockPurpose, NodeStep, Step, StopReason, Via};
use crate::policy::OnFailedLeave;
use crate::quorum;
use crate::report::Phase;
use crate::situation::{Departure, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, completion, departing, disk, hooks, learner, no_quorum, node, retire};

/// The wait for its disk and process to be known. Until then nothing is decided except to complete the hook in time.
pub(in crate::planner) fn unknown_machine(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let is_known = s.seen.local.data.fresh().is_some() && s.seen.local.process.fresh().is_some();
    let waits = || departing::waits(departure, leaving::machine_is_unknown());
    (!is_known).then(|| at_the_deadline(s, departure).unwrap_or_else(waits))
}

/// Continues an end of the cluster that was begun, even past the deadline once everything is saved.
pub(in crate::planner) fn go_on_retiring(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let retiring = retire::go_on(s, departure).filter(|_| !departing::is_overdue(s, departure))?;
    let late = at_the_deadline(s, departure).filter(|_| s.memory.snapshots.covering_all.is_none());
    Some(late.unwrap_or(retiring))
}

/// Deletes the Node once nothing else is left.
pub(in crate::planner) fn delete_node(s: &Situation<'_>, _: &Departure) -> Option<Decision> {
    if holds_nothing(s) { node::delete_own(s) } else { None }
}

/// What is done when the deadline is near.
pub(in crate::planner) fn out_of_time(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    if holds_nothing(s) { None } else { at_the_deadline(s, departure) }
}

/// Drains the node before its member leaves.
pub(in crate::planner) fn drain(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    if holds_nothing(s) { None } else { node::drain_before_leaving(s, departure, departing::reserve(s)) }
}

/// Stops a distribution's server that has not joined yet, because it keeps trying to on its own. It has no pods and no member to remove; if its learner
/// has just appeared in the list, the agent beside the leader removes it.
pub(in crate::planner) fn stop_joining(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let tries = s.runs() && s.data().is_some_and(|d| d.cluster.is_none());
    let listed = s.membership().is_some_and(|m| s.own_entries(&m.members).next().is_some());
    if !tries || listed || s.last_record().is_some_and(|r| r.lists(s.me())) {
        return None;
    }
    let message = leaving::stops_joining(&departure.why);
    Some(Decision::act(Phase::Leaving, Step::StopMember(StopReason::GiveUp), message).until(departure.deadline))
}

/// No data, no process, and no entry in any member list that could be read or remembered.
fn holds_nothing(s: &Situation<'_>) -> bool {
    let never_member = s.last_record().is_none_or(|r| !r.lists(s.me()));
    let listed = s.membership().map(|m| s.own_entries(&m.members).next().is_some());
    s.disk_is_empty() && !s.runs() && !listed.unwrap_or(!never_member)
}

/// Nothing is left except the hook, and in the warm pool, where no hook is open, nothing at all.
pub(in crate::planner) fn has_left(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let open = hooks::open(s, Transition::Launching).chain(hooks::open(s, Transition::Terminating)).next().is_some();
    if !holds_nothing(s) || (s.is_warm() && !open) {
        return None;
    }
    Some(completion::has_left(s, departure))
}

/// The deadline is near and leaving safely was not possible: says so, and lets the policy decide.
fn at_the_deadline(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let deadline = departure.deadline?;
    if s.now + s.policy.leave_margin < deadline || !s.termination_is_open() {
        return None;
    }
    let result = match s.policy.on_failed_leave {
        OnFailedLeave::Continue => HookResult::Continue,
        OnFailedLeave::Abandon => HookResult::Abandon,
    };
    if !departing::other_voters_are_gone(s) {
        return Some(completion::complete(s, departure, result, Standing::OutOfTime));
    }
    // Where its group keeps an abandoned instance, its etcd keeps running there.
    let decision = match result {
        HookResult::Continue => retire::without_saving(s, departure, Last::OutOfTime, obstacle::NO_TIME),
        HookResult::Abandon => completion::complete(s, departure, result, Standing::HoldsAllThatIsLeft),
    };
    Some(Decision { needs_operator: true, ..decision })
}

/// Hands over the leadership, and has the member removed and stopped.
pub(in crate::planner) fn leave_cluster(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    if holds_nothing(s) {
        return None;
    }
    let Some(membership) = s.membership() else { return Some(without_quorum(s, departure)) };
    let own: Vec<&Member> = s.own_entries(&membership.members).collect();
    if let Some(learner) = own.iter().find(|m| m.learner) {
        return Some(change::removal(s, Phase::Leaving, learner, removing::leaving_learner(learner, &departure.why)));
    }
    let Some(me) = own.first() else { return Some(after_removal(s, departure)) };
    let others: Vec<&Member> = membership.voters().filter(|m| m.id != me.id).collect();
    if others.is_empty() || others.iter().all(|m| s.member_is_gone(m)) {
        return Some(last_voter(s, departure, membership));
    }
    Some(leave_others(s, departure, membership, me, &others))
}

fn leave_others(s: &Situation<'_>, departure: &Departure, membership: &Membership, me: &Member, others: &[&Member]) -> Decision {
    if let Some(why) = not_yet_safe(s, membership, others, is_patient(s, departure)) {
        return departing::waits(departure, why).again_in(s.policy.retry);
    }
    let leading = membership.leader == Some(me.id);
    if let Some(decision) = without_the_lock(s, departure, membership, me) {
        return decision;
    }
    let Some(heir) = s.via_other() else { return departing::waits(departure, leaving::no_other_voter_answers()).again_in(s.policy.retry) };
    if leading {
        return hand_over(s, departure, me, heir);
    }
    if s.memory.waits(BackoffKey::Remove, s.now) {
        return departing::waits(departure, leaving::etcd_refused_its_removal()).again_in(s.policy.retry);
    }
    if let Some(asked) = removal_by_distribution(s, departure, me) {
        return asked;
    }
    let message = leaving::removes_itself(&departure.why, me);
    Decision::act(Phase::Leaving, Step::RemoveMember { via: heir, member: me.id }, message)
        .until(departure.deadline)
        .under_lock(LockPurpose::Leave)
}

/// Leaving without the lock. Under NOSPACE etcd rejects new leases but still accepts membership changes. A node about to miss its deadline therefore removes
/// itself without the lock, the leader first, then the lowest member id. etcd's own check of a removal is the backstop.
fn without_the_lock(s: &Situation<'_>, departure: &Departure, membership: &Membership, me: &Member) -> Option<Decision> {
    let in_time = departing::has_time(s, departure, departing::reserve(s)) || !s.ways().runs_etcd;
    if in_time || !is_out_of_space(s) || s.memory.waits(BackoffKey::Remove, s.now) {
        return None;
    }
    let settled = membership.members.iter().all(|m| !m.learner && m.name.is_some());
    let leaves = |m: &Member| s.instance_of(m).is_some_and(|i| s.is_leaving(&i));
    let goes_first = |m: &Member| m.id != me.id && (membership.leader == Some(m.id) || m.id < me.id) && leaves(m);
    let another = membership.leader != Some(me.id) && membership.voters().any(goes_first);
    let via = s.via_other().filter(|_| settled && !another)?;
    let message = leaving::removes_itself_without_the_lock(&departure.why, me);
    Some(Decision::act(Phase::Leaving, Step::RemoveMember { via, member: me.id }, message).until(departure.deadline))
}

/// A member reports the alarm under which etcd grants no lease, and no node holds the lock.
fn is_out_of_space(s: &Situation<'_>) -> bool {
    s.has_alarm(Alarm::NoSpace) && matches!(s.lock(), Some(Lock::Free))
}

/// A distribution removes its member itself when its Node asks for that. Where no API server answers, or the request had no effect, the agent asks etcd
/// directly.
fn removal_by_distribution(s: &Situation<'_>, departure: &Departure, me: &Member) -> Option<Decision> {
    let node = node::own(s).filter(|_| s.ways().is_let_in)?;
    match s.memory.leaving.as_ref().and_then(|leave| leave.removal_asked) {
        Some(at) if s.now.since(at) < s.policy.drain.patience_without_api && !node.removed => {
            Some(departing::waits(departure, leaving::awaits_removal(me)).again_in(s.policy.retry / 2).under_lock(LockPurpose::Leave))
        }
        Some(_) => None,
        None if s.memory.waits(BackoffKey::AnnotateRemoval, s.now) => None,
        None => {
            let message = leaving::has_itself_removed(&departure.why, me);
            let step = Step::Node(NodeStep::AnnotateRemoval { member: me.id });
            Some(Decision::act(Phase::Leaving, step, message).until(departure.deadline).under_lock(LockPurpose::Leave))
        }
    }
}

/// Whether to wait for a replacement: within the patience, and for as long as there is time left to leave. The patience counts again from a replacement
/// whose etcd was refused, because another follows it: a voter would be missing until an operator has baked the right image.
fn is_patient(s: &Situation<'_>, departure: &Departure) -> bool {
    let since = s.memory.leaving.as_ref().map(|leave| leave.newcomer_refused.unwrap_or(leave.since).max(leave.since));
    departure.replacement_may_come
        && departing::has_time(s, departure, departing::reserve(s))
        && s.for_how_long(since) < s.policy.replacement_patience
}

fn hand_over(s: &Situation<'_>, departure: &Departure, me: &Member, heir: Via) -> Decision {
    if s.memory.waits(BackoffKey::MoveLeader, s.now) {
        return departing::waits(departure, leaving::etcd_refused_to_hand_over()).again_in(s.policy.retry);
    }
    let Some(url) = me.client_url else { return departing::waits(departure, leaving::has_no_client_address()) };
    let message = leaving::hands_over(&departure.why, heir.member);
    let step = Step::MoveLeader { via: Via::new(me.id, url), to: heir.member };
    Decision::act(Phase::Leaving, step, message).until(departure.deadline).under_lock(LockPurpose::Leave)
}

/// Why leaving now would not be safe. Quorum is never given up; the other reasons hold only within the patience.
fn not_yet_safe(s: &Situation<'_>, membership: &Membership, others: &[&Member], patient: bool) -> Option<Awaited> {
    let is_somebodys = |m: &Member| s.instance_of(m).is_some_and(|i| !s.is_nobodys(&i));
    let healthy = others.iter().filter(|m| s.is_healthy(m.id) && is_somebodys(m)).count();
    if !quorum::survives_removal(others.len() + 1, healthy) {
        return Some(leaving::too_few_are_healthy(healthy, others.len()));
    }
    if !patient {
        return None;
    }
    if healthy < others.len() {
        return Some(leaving::not_all_are_healthy(others.len()));
    }
    if let Some(learner) = membership.learner() {
        return Some(leaving::learner_is_unsettled(learner, learner::unready(s, learner)));
    }
    let staying = others.iter().filter(|m| s.instance_of(m).is_some_and(|i| !s.is_leaving(&i))).count();
    match s.wanted_voters() {
        None => Some(leaving::group_was_not_read()),
        Some(wanted) if staying < wanted => {
            let refused = s.memory.leaving.as_ref().is_some_and(|leave| leave.newcomer_refused.is_some());
            let awaited = if refused { leaving::replacement_was_refused } else { leaving::awaits_replacement };
            Some(awaited(staying, wanted))
        }
        Some(_) => None,
    }
}

/// What is left once the others confirm that it is no longer a member: charter, lock, process, data, in this order.
fn after_removal(s: &Situation<'_>, departure: &Departure) -> Decision {
    // Without the lock the charter stays as it is: the agent beside the leader updates it when there is space again.
    if let Some(decision) = change::trim(s, Phase::Leaving, s.me()).filter(|_| !is_out_of_space(s)) {
        return decision.until(departure.deadline);
    }
    if s.holds_lock() {
        return match s.via_other() {
            Some(via) => Decision::act(Phase::Leaving, Step::ReleaseLock { via }, leaving::releases_the_lock()),
            None => departing::waits(departure, leaving::nobody_takes_the_lock_back()).again_in(s.policy.retry),
        };
    }
    let same_cluster = s.data().and_then(|d| d.cluster) == s.membership().map(|m| m.cluster);
    if !same_cluster && s.data().is_some_and(|d| d.cluster.is_some()) && disk::superseded(s).is_none() {
        return departing::waits(departure, leaving::another_cluster_answers()).again_in(s.policy.retry);
    }
    if s.runs() {
        let reason = if same_cluster { StopReason::Left } else { StopReason::PutAside };
        return Decision::act(Phase::Leaving, Step::StopMember(reason), leaving::stops_etcd()).until(departure.deadline);
    }
    Decision::act(Phase::Leaving, Step::PutDataAside { why: AsideReason::Left }, leaving::puts_data_aside()).until(departure.deadline)
}

/// The last voter cannot be removed: its clients are stopped and its data is saved.
fn last_voter(s: &Situation<'_>, departure: &Departure, membership: &Membership) -> Decision {
    if !departure.instance_goes || departing::is_overdue(s, departure) {
        return last_but_running_on(s, departure);
    }
    // Its list may have been read before it stopped: it is read again.
    if s.is_stopped() && !s.memory.ending.is_stopped() {
        return departing::waits(departure, leaving::last_voter_is_stopped()).again_in(s.policy.retry);
    }
    // An instance that is taken at a fixed time serves until then: a replacement may still come, and nothing is gained by ending sooner.
    let patient = is_patient(s, departure) || (!departure.held_up && departing::has_time(s, departure, departing::reserve(s)));
    if departing::has_heir(s, departure) || (patient && (departing::is_replaced(s) || membership.learner().is_some())) {
        return departing::waits(departure, leaving::last_voter_awaits_replacement()).again_in(s.policy.retry);
    }
    retire::end(s, departure, Last::Unreplaced)
}

/// Its instance keeps running, so nothing forces it to end the data: it serves until another votes.
fn last_but_running_on(s: &Situation<'_>, departure: &Departure) -> Decision {
    let others = s.seen.cloud.listed.last().is_some_and(|l| l.keys().any(|id| id != s.me()));
    if others && is_patient(s, departure) {
        return departing::waits(departure, leaving::last_voter_awaits_another()).again_in(s.policy.retry);
    }
    if s.is_only_recommended() {
        return Decision::rest(Phase::Leaving, leaving::last_voter_stays(&departure.why));
    }
    let by_order = s.order() == Some(Order::Leave);
    Decision::halt(Phase::Leaving, leaving::last_voter_serves_on(&departure.why, by_order))
}

/// No quorum answers: wait, unless this is the last voter and already stopped, or the deadline ends the wait.
fn without_quorum(s: &Situation<'_>, departure: &Departure) -> Decision {
    if s.is_stopped() && departing::has_stopped_as_last_voter(s) {
        return completion::complete(s, departure, HookResult::Continue, Standing::WasLast);
    }
    if departing::ends_here(s, departure) {
        return retire::end(s, departure, Last::Left);
    }
    departing::waits(departure, leaving::no_quorum_answers(&no_quorum::why(s))).again_in(s.policy.retry)
}
