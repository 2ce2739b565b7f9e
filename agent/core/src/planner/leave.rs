//! Leaving: wait until it is safe, hand over, be removed while still running, have it confirmed, stop, and only then complete the hook.

use std::time::Duration;

use crate::charter::ListedVoter;
use crate::memory::{BackoffKey, Order};
use crate::observation::{Alarm, Lock, Member, Membership, Transition};
use crate::plan::{HookResult, NodeStep, Step, StopReason, Via};
use crate::policy::OnFailedLeave;
use crate::quorum;
use crate::report::Phase;
use crate::role::Role;
use crate::situation::{Departure, Situation};

use super::decision::Decision;
use super::prune::{removal, trim};
use super::{admission, bootstrap, charter, hooks, learner, no_quorum, node, recover, retire, serve, targets, version};

pub(super) fn decide(s: &Situation<'_>) -> Option<Decision> {
    let departure = s.departure()?;
    if s.seen.local.data.fresh().is_none() || s.seen.local.process.fresh().is_none() {
        return Some(out_of_time(s, &departure).unwrap_or_else(|| waits(&departure, "its own disk and process are not known yet".into())));
    }
    if let Some(retiring) = retire::go_on(s, &departure).filter(|_| !is_overdue(s, &departure)) {
        return Some(out_of_time(s, &departure).filter(|_| s.memory.snapshots.covering_all.is_none()).unwrap_or(retiring));
    }
    if holds_nothing(s) {
        if let Some(node) = node::delete_own(s) {
            return Some(node);
        }
        return has_left(s, &departure);
    }
    // A generation is ended only once it is established: until then nobody else may hold it or take it over.
    if let Some(founding) = bootstrap::go_on_founding(s).filter(|d| d.step.is_some() && !rests(s)) {
        return Some(Decision { phase: Phase::Leaving, ..founding });
    }
    if let Some(stop) = stop_joining(s, &departure) {
        return Some(stop);
    }
    let drain = || node::drain_before_leaving(s, &departure, reserve(s));
    let decision = out_of_time(s, &departure).or_else(drain).or_else(|| leave_cluster(s, &departure))?;
    // A leaver that leads is the only one who prunes and promotes: while it waits it does so, or its wait would never end.
    if decision.step.is_some() {
        return Some(decision);
    }
    let meanwhile = super::leader_duty(s)
        .or_else(|| keep_alive(s, &departure))
        .or_else(|| admission::admit(s))
        .map(|d| Decision { phase: Phase::Leaving, ..d });
    Some(meanwhile.unwrap_or_else(|| targets::meanwhile(s, &departure, mark_if_lost(s, decision))))
}

/// A distribution's server that has not joined yet goes on trying to, by itself: it is stopped first. It has no pods, and nothing to be removed; should
/// its learner have come into the list just now, the agent beside the leader removes that.
fn stop_joining(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let tries = s.seen.me.role == Role::ControlPlane && s.runs() && s.data().is_some_and(|d| d.cluster.is_none());
    let listed = s.membership().is_some_and(|m| s.own_entries(&m.members).next().is_some());
    if !tries || listed || s.last_record().is_some_and(|r| r.lists(s.me())) {
        return None;
    }
    let says = format!("leaves, as {}: stops its server, which has not joined yet", departure.why);
    Some(Decision::act(Phase::Leaving, Step::StopMember(StopReason::GiveUp), says).until(departure.deadline))
}

/// It stopped its etcd as the last voter, and its instance goes. One that is retained after all serves again: nothing takes its data away.
fn rests(s: &Situation<'_>) -> bool {
    s.memory.ending.is_stopped() && s.departure().is_some_and(|d| d.instance_goes && !is_overdue(s, &d))
}

/// It was to be taken some time ago, and runs on: what EC2 announces it does not always do, and no data ends for nothing.
fn is_overdue(s: &Situation<'_>, departure: &Departure) -> bool {
    !departure.held_up && departure.deadline.is_some_and(|deadline| s.now >= deadline + s.policy.unhooked_leave)
}

/// What a leaver goes on with while it waits, because its leave may depend on it: recovering, putting aside what never was a member's, and
/// running its own etcd.
fn keep_alive(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    if rests(s) || ends_here(s, departure) {
        return None;
    }
    let steps = [charter::rewrite_vanished, recover::decide, serve::superseded, serve::resume].into_iter().filter_map(|rule| rule(s));
    // What cannot be started must not stand in the way of the rest.
    steps.into_iter().find(|d| d.step.as_ref().is_some_and(|step| version::lets_pass(s, step)))
}

/// What only an operator can mend is said loudly by a leaver too.
fn mark_if_lost(s: &Situation<'_>, decision: Decision) -> Decision {
    let lost = charter::broken(s).or_else(|| recover::decide(s));
    // A last voter that has stopped its etcd awaits no quorum any more.
    let awaiting = [charter::rewrite_vanished, serve::resume, serve::idle].into_iter().filter(|_| !rests(s));
    let awaiting = || awaiting.filter_map(|rule| rule(s)).map(|d| version::guard(s, d)).find(|d| d.needs_operator);
    match lost.or_else(awaiting) {
        Some(also) => {
            let needs_operator = also.needs_operator || decision.needs_operator;
            Decision { needs_operator, says: format!("{}; {}", decision.says, also.says).into(), ..decision }
        }
        None => decision,
    }
}

fn waits(departure: &Departure, why: String) -> Decision {
    Decision::wait(Phase::Leaving, format!("leaves, as {}: {why}", departure.why)).until(departure.deadline)
}

/// No data, no process, and no entry in any member list that could be read or remembered.
fn holds_nothing(s: &Situation<'_>) -> bool {
    let never_member = s.last_record().is_none_or(|r| !r.lists(s.me()));
    let listed = s.membership().map(|m| s.own_entries(&m.members).next().is_some());
    s.disk_is_empty() && !s.runs() && !listed.unwrap_or(!never_member)
}

/// All that is left is the hook.
fn has_left(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let open = hooks::open(s, Transition::Launching).chain(hooks::open(s, Transition::Terminating)).next().is_some();
    if s.is_warm() && !open {
        return None;
    }
    Some(complete(s, departure, HookResult::Continue, "has left"))
}

pub(super) fn complete(s: &Situation<'_>, departure: &Departure, result: HookResult, state: &'static str) -> Decision {
    let phase = if state == "has left" { Phase::Left } else { Phase::Leaving };
    if !departure.instance_goes {
        return stays_away(s, departure, phase, state);
    }
    if let Some(again) = targets::once_more(s, departure) {
        return again;
    }
    // Of an instance that goes back to the warm pool the state tells that a hook is open, and not which: what is refused holds up no other.
    let mut open = hooks::open(s, Transition::Launching).chain(hooks::open(s, Transition::Terminating)).peekable();
    let first = open.peek().copied();
    let Some(hook) = open.find(|hook| !s.memory.hook_waits(&hook.hook, s.me(), s.now)).or(first) else {
        return Decision::wait(phase, format!("{state}, as {}", departure.why)).again_in(s.policy.retry);
    };
    if s.memory.hook_waits(&hook.hook, s.me(), s.now) {
        return Decision::wait(phase, format!("{state}; waits until the group takes the completion of hook {}", hook.hook))
            .again_in(s.policy.retry);
    }
    let gives_launch_up = hook.transition == Transition::Launching && !s.is_warm();
    if gives_launch_up && may_have_voted(s) {
        let says = format!("{state}; leaves hook {} to its group: only who never voted gives a launch up", hook.hook);
        return Decision::wait(phase, says).again_in(s.policy.retry);
    }
    let result = if gives_launch_up { HookResult::Abandon } else { result };
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result };
    Decision::act(phase, step, format!("{state}; completes hook {} with {result}", hook.hook)).until(departure.deadline)
}

/// No quorum says that it is no voter, and it did join: a founder that EC2 takes back before its launch is over, for instance.
fn may_have_voted(s: &Situation<'_>) -> bool {
    let by_quorum = s.membership().map(|_| s.my_member().is_some_and(|m| !m.learner));
    let joined = || !s.disk_is_empty() || s.memory.kept.record.as_ref().is_some_and(|r| r.lists(s.me()));
    s.seen.me.role != Role::Worker && by_quorum.unwrap_or_else(joined)
}

/// It is out, and its instance runs on. What it still stands in the way of, only an operator can mend.
fn stays_away(s: &Situation<'_>, departure: &Departure, phase: Phase, state: &'static str) -> Decision {
    let out = format!("{state}, as {}", departure.why);
    if s.is_only_recommended() {
        return Decision::wait(
            phase,
            format!("{out}; stays away until its group replaces it, or the policy is `on_rebalance = \"report\"`"),
        );
    }
    if s.is_retained() {
        return Decision::halt(phase, format!("{out}: nothing is left to be done here"));
    }
    if let Some(rewrite) = charter::rewrite_vanished(s).filter(|d| d.step.is_some()) {
        return Decision { phase, ..rewrite };
    }
    if let Some(claim) = s.record().filter(|r| r.founder() == Some(s.me())) {
        let says = format!(
            "{out}, but has claimed generation {}, which nobody else may found while it lives: terminate the instance, or `quorate join`",
            claim.generation
        );
        return Decision::halt(phase, says);
    }
    if let Some(broken) = charter::broken(s) {
        return Decision::halt(phase, format!("{out}, and tells the others what it remembers: {}", broken.says));
    }
    Decision::wait(phase, format!("{out}; stays away until `quorate join`"))
}

/// The deadline is near, and leaving safely was not possible: say so, and let the policy decide.
fn out_of_time(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let deadline = departure.deadline?;
    if s.now + s.policy.leave_margin < deadline || !s.termination_is_open() {
        return None;
    }
    let result = match s.policy.on_failed_leave {
        OnFailedLeave::Continue => HookResult::Continue,
        OnFailedLeave::Abandon => HookResult::Abandon,
    };
    if !other_voters_are_gone(s) {
        return Some(complete(s, departure, result, "could not leave safely before its deadline; the others will remove its member"));
    }
    // Where its group keeps what is abandoned, its etcd runs on there.
    let decision = match result {
        HookResult::Continue => {
            let why = "could not hand over before its deadline, and no other voter is left";
            retire::without_saving(s, departure, why, "no time is left for it")
        }
        HookResult::Abandon => complete(s, departure, result, "could not hand over before its deadline, and holds all that is left"),
    };
    Some(Decision { needs_operator: true, ..decision })
}

/// This node is a voter, and all the others are gone: nobody will remove its member, and with its data the cluster's ends.
fn other_voters_are_gone(s: &Situation<'_>) -> bool {
    let alone = |members: &Vec<Member>| {
        let own: Vec<_> = s.own_entries(members).filter(|m| !m.learner).map(|m| m.id).collect();
        !own.is_empty() && members.iter().all(|m| m.learner || own.contains(&m.id) || s.member_is_gone(m))
    };
    if let Some(membership) = s.membership() {
        return alone(&membership.members);
    }
    // Its own list may be behind, and so may the record: none of them may name somebody who is left.
    let by_list = s.seen.etcd.local_list.fresh().map(alone);
    let is_over = |v: &ListedVoter| v.instance == *s.me() || s.voter_is_gone(v);
    let by_record = s.last_record().map(|r| r.lists(s.me()) && r.voters.iter().all(is_over));
    (by_list.is_some() || by_record.is_some()) && by_list != Some(false) && by_record != Some(false)
}

fn leave_cluster(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let Some(membership) = s.membership() else { return Some(without_quorum(s, departure)) };
    let own: Vec<&Member> = s.own_entries(&membership.members).collect();
    if let Some(learner) = own.iter().find(|m| m.learner) {
        return Some(removal(s, Phase::Leaving, learner, format!("removes its own learner {learner}, as {}", departure.why)));
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
        return waits(departure, why).again_in(s.policy.retry);
    }
    let leading = membership.leader == Some(me.id);
    if let Some(decision) = without_the_lock(s, departure, membership, me) {
        return decision;
    }
    let Some(heir) = s.via_other() else { return waits(departure, "no other voter answers".into()).again_in(s.policy.retry) };
    if leading {
        return hand_over(s, departure, me, heir);
    }
    if s.memory.waits(BackoffKey::Remove, s.now) {
        return waits(departure, "etcd refused its removal a moment ago".into()).again_in(s.policy.retry);
    }
    if let Some(asked) = removal_by_distribution(s, departure, me) {
        return asked;
    }
    let says = format!("leaves, as {}: removes its own member {me} while it still runs", departure.why);
    Decision::act(Phase::Leaving, Step::RemoveMember { via: heir, member: me.id }, says).until(departure.deadline).under_lock("leave")
}

/// Out of space, etcd refuses the lock's lease and no membership change. Who runs out of time leaves all the same, one at a time by everybody's own look:
/// the leader first, else the lowest id. etcd's own check of a removal is the backstop.
fn without_the_lock(s: &Situation<'_>, departure: &Departure, membership: &Membership, me: &Member) -> Option<Decision> {
    let in_time = has_time(s, departure, reserve(s)) || s.seen.me.role != Role::Etcd;
    if in_time || !is_out_of_space(s) || s.memory.waits(BackoffKey::Remove, s.now) {
        return None;
    }
    let settled = membership.members.iter().all(|m| !m.learner && m.name.is_some());
    let leaves = |m: &Member| s.instance_of(m).is_some_and(|i| s.is_leaving(&i));
    let goes_first = |m: &Member| m.id != me.id && (membership.leader == Some(m.id) || m.id < me.id) && leaves(m);
    let another = membership.leader != Some(me.id) && membership.voters().any(goes_first);
    let via = s.via_other().filter(|_| settled && !another)?;
    let says = format!(
        "leaves, as {}: removes its own member {me} without the lock, which etcd refuses because it is out of space, while no time is left",
        departure.why
    );
    Some(Decision::act(Phase::Leaving, Step::RemoveMember { via, member: me.id }, says).until(departure.deadline))
}

/// A member says that the cluster has raised the alarm under which no lease is granted, and nobody holds the lock.
fn is_out_of_space(s: &Situation<'_>) -> bool {
    let alarm = s.seen.etcd.statuses.values().filter_map(|r| r.fresh()).any(|status| status.alarms.contains(&Alarm::NoSpace));
    alarm && matches!(s.lock(), Some(Lock::Free))
}

/// A distribution removes its member itself when its Node asks for it. Where no API server answers, or nothing came of it, etcd is told directly.
fn removal_by_distribution(s: &Situation<'_>, departure: &Departure, me: &Member) -> Option<Decision> {
    let node = node::own(s).filter(|_| s.seen.me.role == Role::ControlPlane)?;
    match s.memory.leaving.as_ref().and_then(|leave| leave.removal_asked) {
        Some(at) if s.now.since(at) < s.policy.drain.patience_without_api && !node.removed => Some(
            waits(departure, format!("waits until its member {me} is removed, as its Node asks"))
                .again_in(s.policy.retry / 2)
                .under_lock("leave"),
        ),
        Some(_) => None,
        None if s.memory.waits(BackoffKey::AnnotateRemoval, s.now) => None,
        None => {
            let says = format!("leaves, as {}: has its member {me} removed while it still runs", departure.why);
            let step = Step::Node(NodeStep::AnnotateRemoval { member: me.id });
            Some(Decision::act(Phase::Leaving, step, says).until(departure.deadline).under_lock("leave"))
        }
    }
}

/// A replacement is waited for within the patience, and never so long that the time to leave is lost. One whose etcd was refused is followed by another,
/// so that the patience counts from there: a voter would be missing until an operator has baked the right image.
fn is_patient(s: &Situation<'_>, departure: &Departure) -> bool {
    let since = s.memory.leaving.as_ref().map(|leave| leave.newcomer_refused.unwrap_or(leave.since).max(leave.since));
    departure.replacement_may_come && has_time(s, departure, reserve(s)) && s.for_how_long(since) < s.policy.replacement_patience
}

/// More time than `reserve` is left.
pub(super) fn has_time(s: &Situation<'_>, departure: &Departure, reserve: Duration) -> bool {
    departure.deadline.is_none_or(|deadline| s.now + reserve < deadline)
}

/// What is kept back for the leave itself, which takes seconds: some margins, but no more than half of a short hook's own time. Its heartbeats
/// renew that, but never beyond it, so that more would never be there.
pub(super) fn reserve(s: &Situation<'_>) -> Duration {
    let margins = s.policy.leave_margin * MARGINS_TO_LEAVE;
    hooks::open(s, Transition::Terminating).map(|h| h.heartbeat_timeout / 2).min().map_or(margins, |half| half.min(margins))
}

const MARGINS_TO_LEAVE: u32 = 3;

fn hand_over(s: &Situation<'_>, departure: &Departure, me: &Member, heir: Via) -> Decision {
    if s.memory.waits(BackoffKey::MoveLeader, s.now) {
        return waits(departure, "etcd refused to move the leadership a moment ago".into()).again_in(s.policy.retry);
    }
    let Some(url) = me.client_url else { return waits(departure, "its own member has no client address yet".into()) };
    let says = format!("leaves, as {}: hands the leadership to {}", departure.why, heir.member);
    let step = Step::MoveLeader { via: Via::new(me.id, url), to: heir.member };
    Decision::act(Phase::Leaving, step, says).until(departure.deadline).under_lock("leave")
}

/// Why leaving now would not be safe. Quorum is never given up; the rest only within the patience.
fn not_yet_safe(s: &Situation<'_>, membership: &Membership, others: &[&Member], patient: bool) -> Option<String> {
    let healthy = others.iter().filter(|m| s.is_healthy(m.id)).count();
    if !quorum::survives_removal(others.len() + 1, healthy) {
        return Some(format!("only {healthy} of the other {} voters are healthy", others.len()));
    }
    if !patient {
        return None;
    }
    if healthy < others.len() {
        return Some(format!("waits until all of the other {} voters are healthy", others.len()));
    }
    if let Some(learner) = membership.learner() {
        let why = learner::unready(s, learner).map_or_else(String::new, |why| format!(": {why}"));
        return Some(format!("waits until learner {learner} is promoted or removed{why}"));
    }
    let staying = others.iter().filter(|m| s.instance_of(m).is_some_and(|i| !s.is_leaving(&i))).count();
    match s.wanted_voters() {
        None => Some("waits until the group says whether a replacement comes".to_owned()),
        Some(wanted) if staying < wanted => {
            let says = format!("waits for its replacement: {staying} of {wanted} wanted voters would stay");
            Some(if s.memory.leaving.as_ref().is_some_and(|leave| leave.newcomer_refused.is_some()) {
                format!("{says}; {NEWCOMER_REFUSED}")
            } else {
                says
            })
        }
        Some(_) => None,
    }
}

/// Said by who waits for a replacement.
const NEWCOMER_REFUSED: &str = "the etcd of one that came was refused, as its own report says: its image must be mended";

/// The others confirm that it is no member any more: charter, lock, process, data, in this order.
fn after_removal(s: &Situation<'_>, departure: &Departure) -> Decision {
    // Without the lock the charter stays as it is: the agent beside the leader brings it in line when there is room again.
    if let Some(decision) = trim(s, Phase::Leaving, s.me()).filter(|_| !is_out_of_space(s)) {
        return decision.until(departure.deadline);
    }
    if s.holds_lock() {
        return match s.via_other() {
            Some(via) => Decision::act(Phase::Leaving, Step::ReleaseLock { via }, "is out; gives the lock back through another member"),
            None => waits(departure, "is out, but no other member answers to take the lock back".into()).again_in(s.policy.retry),
        };
    }
    let same_cluster = s.data().and_then(|d| d.cluster) == s.membership().map(|m| m.cluster);
    if !same_cluster && s.data().is_some_and(|d| d.cluster.is_some()) && serve::superseded(s).is_none() {
        let why = "the cluster that answers is not its data's, and the charter does not tell that it came after";
        return waits(departure, why.into()).again_in(s.policy.retry);
    }
    if s.runs() {
        let reason = if same_cluster { StopReason::Left } else { StopReason::PutAside };
        return Decision::act(Phase::Leaving, Step::StopMember(reason), "is out, as the others confirm; stops etcd")
            .until(departure.deadline);
    }
    Decision::act(Phase::Leaving, Step::PutDataAside { why: "left" }, "is out, as the others confirm; puts its data aside")
        .until(departure.deadline)
}

/// The last voter cannot be removed: its clients are stopped, and what it holds is saved.
fn last_voter(s: &Situation<'_>, departure: &Departure, membership: &Membership) -> Decision {
    if !departure.instance_goes || is_overdue(s, departure) {
        return last_but_running_on(s, departure);
    }
    // Its list may be older than its end: it is asked again.
    if s.is_stopped() && !s.memory.ending.is_stopped() {
        return waits(departure, "is the last voter, and its etcd is stopped".into()).again_in(s.policy.retry);
    }
    // What another takes at its own time is served from until then: a replacement may come yet, and nothing is gained by ending sooner.
    let patient = is_patient(s, departure) || (!departure.held_up && has_time(s, departure, reserve(s)));
    if has_heir(s, departure) || (patient && (is_replaced(s) || membership.learner().is_some())) {
        return waits(departure, "is the last voter; waits for its replacement".into()).again_in(s.policy.retry);
    }
    retire::end(s, departure, "is the last voter and no replacement comes")
}

/// A learner that follows is waited for to the last moment, because its promotion takes a second; one whose agent alone answers for as long as there
/// is time for the rest.
pub(super) fn has_heir(s: &Situation<'_>, departure: &Departure) -> bool {
    let Some(learner) = s.membership().and_then(Membership::learner) else { return false };
    let follows = s.is_healthy(learner.id) && has_time(s, departure, s.policy.leave_margin);
    let comes = || s.instance_of(learner).is_some_and(|id| s.peer(&id).is_some_and(|p| !p.leaving));
    follows || (has_time(s, departure, reserve(s)) && comes())
}

/// The cluster ends with this instance, and nobody wants another.
fn ends_here(s: &Situation<'_>, departure: &Departure) -> bool {
    departure.instance_goes && !is_overdue(s, departure) && other_voters_are_gone(s) && !is_replaced(s)
}

/// The group wants voters, or does not say that it wants none.
fn is_replaced(s: &Situation<'_>) -> bool {
    s.wanted_voters().is_none_or(|wanted| wanted > 0)
}

/// Its instance runs on, so nothing makes it end the data: it serves until another votes.
fn last_but_running_on(s: &Situation<'_>, departure: &Departure) -> Decision {
    let others = s.seen.cloud.listed.last().is_some_and(|l| l.keys().any(|id| id != s.me()));
    if others && is_patient(s, departure) {
        return waits(departure, "is the last voter; waits for another to join".into()).again_in(s.policy.retry);
    }
    if s.is_only_recommended() {
        let says = format!("stays, although {}: is the last voter", departure.why);
        return Decision::wait(Phase::Leaving, says);
    }
    let back = if s.order() == Some(Order::Leave) { ", or `quorate join`" } else { "" };
    Decision::halt(
        Phase::Leaving,
        format!(
            "is to leave, as {}, but is the last voter: serves until another has joined. Terminate the instance to end the cluster{back}",
            departure.why
        ),
    )
}

/// No quorum answers: wait, unless this is the last voter and already stopped, or the deadline ends the wait.
fn without_quorum(s: &Situation<'_>, departure: &Departure) -> Decision {
    if s.is_stopped() && rests(s) {
        return complete(s, departure, HookResult::Continue, "was the last voter, and its etcd is stopped");
    }
    if ends_here(s, departure) {
        return retire::end(s, departure, "every other voter is gone, and no replacement comes");
    }
    waits(departure, format!("no quorum answers: {}", no_quorum::why(s))).again_in(s.policy.retry)
}
