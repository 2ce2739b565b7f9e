//! Joining an established cluster: as a learner, one at a time, and after every departed voter is removed.

use crate::charter::State;
use crate::explain::joining as explain;
use crate::explain::{Wait, removing};
use crate::ids::{Generation, MemberId};
use crate::memory::BackoffKey;
use crate::observation::{Alarm, Hook, Member, Membership, Transition};
use crate::plan::{AsideReason, HookResult, LockPurpose, Start, Step, StopReason};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, hooks, joining, members, version};

/// The joiner's own steps, while its disk is empty or its learner is not promoted yet.
pub(in crate::planner) fn decide(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record()?;
    if record.state != State::Established || !s.disk_is_empty() || s.runs() {
        return None;
    }
    let Some(membership) = s.membership().filter(|m| Some(m.cluster) == record.etcd_cluster) else {
        return Some(Decision::wait(Phase::Joining, explain::no_voter_answers_with_quorum()).again_in(s.policy.retry));
    };
    if let Some(stale) = joining::settle_own_entries(s, membership) {
        return Some(stale);
    }
    Some(match s.own_entries(&membership.members).next() {
        Some(entry) => start(s, record.generation, entry.id, membership),
        None => add(s, membership),
    })
}

fn start(s: &Situation<'_>, generation: Generation, own: MemberId, membership: &Membership) -> Decision {
    // One that is known to end again is not started soon.
    if s.memory.waits(BackoffKey::Start, s.now) && version::refusal(s).is_none() {
        return Decision::wait(Phase::Joining, explain::started_etcd_just_now(s.last_exit()))
            .again_in(s.policy.retry)
            .under_lock(LockPurpose::Join);
    }
    let name = |m: &Member| match (&m.name, m.id == own) {
        (_, true) => s.me().to_string(),
        (Some(name), false) => name.to_string(),
        (None, false) => m.id.to_string(),
    };
    if let Some(stranger) = membership.strangers().next() {
        return Decision::halt(Phase::Joining, explain::stranger_is_in_the_way(stranger)).again_in(s.policy.retry);
    }
    let initial_cluster = membership.members.iter().filter_map(|m| Some((name(m), m.peer_url.url()?))).collect();
    let step = Step::StartMember(Start::Join { generation, initial_cluster }, s.transport());
    Decision::act(Phase::Joining, step, explain::starts_as_learner()).under_lock(LockPurpose::Join)
}

fn add(s: &Situation<'_>, membership: &Membership) -> Decision {
    if let Some(why) = obstacle(s, membership) {
        return Decision::wait(Phase::Joining, why).again_in(s.policy.retry);
    }
    if joining::is_spare(s) {
        return joining::spare(s);
    }
    let Some(via) = s.via_any() else {
        return Decision::wait(Phase::Joining, explain::no_voter_answers()).again_in(s.policy.retry);
    };
    if s.memory.waits(BackoffKey::AddLearner, s.now) {
        return Decision::wait(Phase::Joining, explain::etcd_refused_to_add(s.memory.last_trouble.as_deref())).again_in(s.policy.retry / 2);
    }
    let step = Step::AddLearner { via, peer_url: s.own_peer_url() };
    Decision::act(Phase::Joining, step, explain::asks_to_be_added()).under_lock(LockPurpose::Join)
}

/// What others have to settle before this node may be added; checked before the lock is taken.
fn obstacle(s: &Situation<'_>, membership: &Membership) -> Option<Wait> {
    if let Some((member, _)) = s.departed_voter() {
        return Some(explain::departed_voter_is_listed(member));
    }
    if s.has_alarm(Alarm::Corrupt) {
        return Some(explain::data_differs());
    }
    if let Some(stranger) = membership.strangers().next() {
        return Some(explain::stranger_is_in_the_way(stranger));
    }
    if let Some(learner) = membership.learner() {
        return Some(explain::another_learns(learner));
    }
    if let Some((member, instance)) = members::not_at_its_address(s, membership) {
        return Some(explain::voter_has_moved(member, &instance));
    }
    if let Some(silent) = membership.voters().find(|m| !s.is_healthy(m.id)) {
        return Some(explain::voter_is_silent(silent));
    }
    None
}

/// Past the deadline, a learner undoes what it did and gives up its launch; a voter or founder never does.
pub(in crate::planner) fn give_up(s: &Situation<'_>) -> Option<Decision> {
    if s.departure().is_some() {
        return None;
    }
    if let Some(refused) = give_up_refused(s) {
        return Some(refused);
    }
    if !joining::deadline_passed(s) {
        return None;
    }
    let why = explain::TOO_LATE;
    let Some(membership) = s.membership() else { return give_up_server(s, why) };
    let own: Vec<&Member> = s.own_entries(&membership.members).collect();
    if own.iter().any(|m| !m.learner) {
        return None;
    }
    if let Some(entry) = own.first() {
        return Some(change::removal(s, Phase::Joining, entry, removing::own_learner(entry, &why)));
    }
    // A record may already name it for its promotion.
    if let Some(trimmed) = change::trim(s, Phase::Joining, s.me()) {
        return Some(trimmed);
    }
    if s.runs() {
        return Some(Decision::act(Phase::Joining, Step::StopMember(StopReason::GiveUp), explain::stops_etcd(&why)));
    }
    if s.data().is_some() {
        return Some(Decision::act(Phase::Joining, Step::PutDataAside { why: AsideReason::GaveUpJoin }, explain::puts_data_aside(&why)));
    }
    let Some(hook) = hooks::open(s, Transition::Launching).next() else { return Some(ask_to_be_replaced(s, membership, why)) };
    Some(abandon(s, hook, why))
}

/// Undoes what was begun and gives up the launch when etcd's version does not fit, which no waiting fixes. It does so as soon as the others may have heard
/// why. Where no launch is open there is nothing to give up: a node launched in its place would have the same image.
fn give_up_refused(s: &Situation<'_>) -> Option<Decision> {
    let membership =
        s.membership().filter(|m| s.record().is_some_and(|r| r.state == State::Established && r.etcd_cluster == Some(m.cluster)))?;
    let why = version::joins_never(s).filter(|_| !joining::is_spare(s))?;
    let own: Vec<&Member> = s.own_entries(&membership.members).collect();
    if own.iter().any(|m| !m.learner) {
        return None;
    }
    if let Some(entry) = own.first() {
        return Some(change::removal(s, Phase::Joining, entry, removing::own_learner(entry, &why)));
    }
    let loudly = |decision| Decision { needs_operator: true, ..decision };
    let Some(hook) = hooks::open(s, Transition::Launching).next() else {
        return Some(Decision::halt(Phase::Joining, explain::is_refused(&why)));
    };
    let heard_at = s.memory.local.refused.map_or(s.now, |(_, since)| since) + s.policy.aws_hurry * LOOKS_TO_HEAR;
    if s.now < heard_at {
        return Some(loudly(Decision::wait(Phase::Joining, explain::gives_up_soon(&why)).until(Some(heard_at)).again_in(s.policy.retry)));
    }
    Some(loudly(abandon(s, hook, &why)))
}

/// A leaver looks for its replacement in each of AWS' answers, and then asks it by its address.
const LOOKS_TO_HEAR: u32 = 3;

/// Gives up the launch of a server that was never able to read etcd: it was admitted, and its unit does not come up.
fn give_up_server(s: &Situation<'_>, why: &str) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established && !r.lists(s.me()))?;
    if !s.ways().is_let_in || !s.disk_is_empty() || record.founder() == Some(s.me()) {
        return None;
    }
    let hook = hooks::open(s, Transition::Launching).next()?;
    Some(abandon(s, hook, why))
}

fn abandon(s: &Situation<'_>, hook: &Hook, why: &str) -> Decision {
    if s.memory.hook_waits(&hook.hook, s.me(), s.now) {
        return Decision::wait(Phase::Joining, explain::abandon_was_not_taken(&hook.hook)).again_in(s.policy.retry);
    }
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result: HookResult::Abandon };
    Decision::act(Phase::Joining, step, explain::abandons(&why))
}

/// Asks the group to replace this instance, because its launch is over and only the group can. It is asked once, while every voter is healthy without it.
fn ask_to_be_replaced(s: &Situation<'_>, membership: &Membership, why: &str) -> Decision {
    let halted = |wait| Decision::halt(Phase::Halted, wait);
    if s.memory.hooks.completed.iter().any(|(_, instance)| instance == s.me()) {
        return Decision::wait(Phase::Joining, explain::awaits_replacement(&why));
    }
    if s.memory.reported_unhealthy || s.memory.waits(BackoffKey::ReportUnhealthy, s.now) {
        return halted(explain::awaits_replacement(&why));
    }
    if let Some(sick) = membership.voters().find(|m| !s.is_healthy(m.id)) {
        return halted(explain::may_not_ask_yet(&why, sick));
    }
    halted(explain::asks_to_be_replaced(&why)).with_step(Step::ReportUnhealthy).under_lock(LockPurpose::ReportUnhealthy)
}
