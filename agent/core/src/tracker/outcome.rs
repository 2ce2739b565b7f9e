//! Taking in the outcome of a step or of a question.

use std::time::Duration;

use super::{remember, waits};
use crate::cadence::Query;
use crate::ids::InstanceId;
use crate::memory::{BackoffKey, Deregistration, Ending, HookHeartbeat, Memory};
use crate::observation::HookRef;
use crate::plan::{NodeStep, Outcome, Start, Step, StopReason};
use crate::policy::Policy;
use crate::time::Timestamp;

/// Takes in the outcome of a step.
pub fn note(memory: &mut Memory, step: &Step, outcome: &Outcome, policy: &Policy, now: Timestamp) {
    let done = *outcome == Outcome::Done;
    if let Outcome::Refused(why) | Outcome::NotOpen(why) | Outcome::Unclear(why) = outcome {
        if !is_only_early(memory, step, outcome, policy, now) {
            memory.last_trouble = Some(why.clone());
        }
        if let Some((key, pause)) = pause_after(step, policy) {
            memory.backoff.insert(key, now + pause);
        }
    }
    if done && !matches!(step, Step::Heartbeat { .. } | Step::CompleteHook { .. } | Step::DeregisterTarget { .. }) {
        memory.acted = Some(now);
    }
    if done {
        waits::end_waits(memory, step);
    }
    match step {
        Step::Heartbeat { hook } => note_heartbeat(memory, hook, done, now),
        Step::CompleteHook { hook, instance, .. } => note_completion(memory, hook, instance, done, policy, now),
        Step::DeregisterTarget { group } => {
            if let Some(leave) = &mut memory.leaving {
                let tries = leave.deregistrations.get(group).map_or(0, |before| before.tries) + 1;
                leave.deregistrations.insert(group.clone(), Deregistration { accepted: done, tries, tried: now });
            }
        }
        Step::ReportUnhealthy => memory.reported_unhealthy = done,
        Step::CreateRecord(record) => {
            if record.founder() == Some(&memory.kept.instance) {
                memory.claimed = Some((record.number, now));
            }
            if done {
                remember(memory, record.clone());
            }
        }
        Step::StartMember(start, _) => note_start(memory, start, outcome, policy, now),
        Step::StopMember(StopReason::NotAnswering) if done => {
            memory.local.silent_since = None;
            memory.local.restarts_in_vain = memory.local.restarts_in_vain.saturating_add(1);
        }
        Step::StopMember(reason) if done => note_stop(memory, *reason),
        Step::Node(NodeStep::AnnotateRemoval { .. }) if done => {
            memory.leaving.iter_mut().for_each(|leave| leave.removal_asked = leave.removal_asked.or(Some(now)));
        }
        // Handed over to its own member: it took over from another's.
        Step::MoveLeader { via, to } if done && memory.local.holds.is_some_and(|(own, _)| own == *to) => {
            memory.quorum.stood_in = Some((via.member, now));
        }
        Step::ForgetOrder => memory.kept.order = None,
        Step::SetPause { pause, .. } if done => memory.kept.pausing.read(Some(pause)),
        Step::ClearPause { .. } if done => memory.kept.pausing.read(None),
        _ => {}
    }
}

fn note_heartbeat(memory: &mut Memory, hook: &HookRef, done: bool, now: Timestamp) {
    let heartbeat = memory.hooks.heartbeats.entry(hook.clone()).or_insert(HookHeartbeat::opened(now));
    heartbeat.tried = Some(now);
    if done {
        heartbeat.accepted = Some(now);
    }
}

fn note_completion(memory: &mut Memory, hook: &HookRef, instance: &InstanceId, done: bool, policy: &Policy, now: Timestamp) {
    if done {
        memory.hooks.completed.insert((hook.clone(), instance.clone()));
        return;
    }
    memory.hooks.not_before.insert((hook.clone(), instance.clone()), now + policy.aws_hurry);
    if *instance != memory.kept.instance {
        memory.hooks.tried_for.insert(instance.clone(), now);
    }
}

fn note_start(memory: &mut Memory, start: &Start, outcome: &Outcome, policy: &Policy, now: Timestamp) {
    // A client that is served again may write what the snapshot lacks.
    memory.ending = if matches!(start, Start::Alone) { Ending::Retiring } else { Ending::None };
    memory.snapshots.covering_all = None;
    // A refused start did not happen, so it does not show whether the member is broken.
    if !matches!(outcome, Outcome::Refused(_)) {
        memory.local.starts.push(now);
    }
    // A start that ends at once must not be tried in a tight loop: each one waits longer.
    let count = u32::try_from(memory.local.starts.len()).unwrap_or(u32::MAX).max(1);
    memory.backoff.insert(BackoffKey::Start, now + policy.retry * count.saturating_mul(2));
}

fn note_stop(memory: &mut Memory, reason: StopReason) {
    memory.local.starts.clear();
    memory.backoff.remove(&BackoffKey::Start);
    memory.ending = match reason {
        StopReason::Retire => Ending::Retiring,
        StopReason::LastVoterLeaves if memory.ending.is_retiring() && memory.snapshots.covering_all.is_some() => Ending::Saved,
        StopReason::LastVoterLeaves => Ending::Stopped,
        _ => Ending::None,
    };
}

/// Whether AWS' answer that no such action is open is no cause for concern: the action is about to open, which takes only seconds, or it is another
/// instance's and has been ended by another agent or by its timeout, which is just as good.
#[must_use]
pub fn is_only_early(memory: &Memory, step: &Step, outcome: &Outcome, policy: &Policy, now: Timestamp) -> bool {
    let heartbeat = |hook| memory.hooks.heartbeats.get(hook);
    let is_young = |hook| heartbeat(hook).is_none_or(|beat| now.since(beat.opened) < policy.aws_hurry * 2);
    match (outcome, step) {
        (Outcome::NotOpen(_), Step::Heartbeat { hook }) => heartbeat(hook).is_none_or(|b| b.accepted.is_none()) && is_young(hook),
        (Outcome::NotOpen(_), Step::CompleteHook { hook, instance, .. }) => *instance != memory.kept.instance || is_young(hook),
        _ => false,
    }
}

/// Takes in that a question was put to AWS, whether or not it was answered.
pub fn note_asked(memory: &mut Memory, query: &Query, now: Timestamp) {
    let asked = &mut memory.asked;
    asked.count += 1;
    match query {
        Query::Groups => asked.groups = Some(now),
        Query::Tagged => asked.tagged = Some(now),
        Query::Instances(_) => asked.instances = Some(now),
        Query::Places(_) => asked.places = Some(now),
        Query::Hooks => asked.hooks = Some(now),
        Query::OwnState => asked.own_state = Some(now),
    }
}

/// How long a refused step waits, and under which key.
fn pause_after(step: &Step, policy: &Policy) -> Option<(BackoffKey, Duration)> {
    Some(match step {
        Step::CreateRecord(_) => (BackoffKey::Record, policy.retry),
        Step::AddLearner { .. } => (BackoffKey::AddLearner, policy.retry),
        Step::Promote { .. } => (BackoffKey::Promote, policy.retry),
        Step::RemoveMember { .. } => (BackoffKey::Remove, policy.retry),
        Step::MoveLeader { .. } => (BackoffKey::MoveLeader, policy.retry),
        Step::AdoptData { .. } => (BackoffKey::Adopt, policy.retry),
        Step::UpdatePeerUrl { .. } => (BackoffKey::PeerUrl, policy.retry),
        Step::ReportUnhealthy => (BackoffKey::ReportUnhealthy, policy.aws_hurry),
        Step::AcquireLock { .. } => (BackoffKey::Lock, policy.retry),
        Step::SetPause { .. } | Step::ClearPause { .. } => (BackoffKey::Pause, policy.cycle),
        Step::Node(step) => (of_node(step), policy.retry * 2),
        Step::TakeSnapshot(_) => (BackoffKey::Snapshot, policy.snapshots.retry),
        Step::FetchSnapshot { .. } => (BackoffKey::Fetch, policy.retry),
        Step::RestoreSnapshot { .. } | Step::RestoreOwnData { .. } => (BackoffKey::Restore, policy.retry * 4),
        Step::DrillSnapshot { .. } => (BackoffKey::Drill, policy.snapshots.retry),
        Step::PruneSnapshots { .. } => (BackoffKey::PruneSnapshots, policy.snapshots.retry),
        _ => return None,
    })
}

fn of_node(step: &NodeStep) -> BackoffKey {
    match step {
        NodeStep::Drain(_) => BackoffKey::Drain,
        NodeStep::Cordon => BackoffKey::Cordon,
        NodeStep::Uncordon => BackoffKey::Uncordon,
        NodeStep::AnnotateRemoval { .. } => BackoffKey::AnnotateRemoval,
        NodeStep::Delete { .. } => BackoffKey::DeleteNode,
        NodeStep::PointAt { .. } => BackoffKey::PointAt,
    }
}
