//! This instance's own lifecycle hooks: kept open while work goes on, completed after it.

use std::time::Duration;

use crate::charter::State;
use crate::explain::hooks as explain;
use crate::memory::HookHeartbeat;
use crate::observation::{Hook, Transition};
use crate::plan::{HookResult, Step};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{hooks, joining, node, phase};

/// Sends a heartbeat after each third of the hook's own timeout, so two may be lost.
pub(in crate::planner) fn heartbeat(s: &Situation<'_>) -> Option<Decision> {
    let launching = hooks::open(s, Transition::Launching).filter(|_| !joining::deadline_passed(s));
    let due = launching.chain(hooks::open(s, Transition::Terminating)).find(|hook| {
        let beat = s.memory.hooks.heartbeats.get(&hook.hook);
        let tried = beat.and_then(|b| b.tried);
        let capped = beat.is_some_and(|b| s.now.since(b.opened) >= hook.global_timeout);
        !capped && tried.is_none_or(|at| s.now.since(at) >= pause(s, hook, beat))
    })?;
    let phase = if s.departure().is_some() { Phase::Leaving } else { phase::phase_of_member(s) };
    Some(Decision::act(phase, Step::Heartbeat { hook: due.hook.clone() }, explain::heartbeat(&due.hook)))
}

/// The pause before the next heartbeat, shorter after a refusal. Just after the transition AWS may answer "No active Lifecycle Action found" although
/// the action is open, and the founding of the cluster waits for the first heartbeat; later, refusals are no longer worth the calls.
fn pause(s: &Situation<'_>, hook: &Hook, beat: Option<&HookHeartbeat>) -> Duration {
    let regular = hook.heartbeat_timeout / 3;
    match beat {
        Some(beat) if beat.tried == beat.accepted => regular,
        Some(beat) if beat.accepted.is_none() && s.now.since(beat.opened) < s.policy.aws_hurry * 2 => regular.min(s.policy.retry * 2),
        Some(_) => regular.min(s.policy.aws_hurry),
        None => regular,
    }
}

/// Completes the launch, but only when this node votes and is caught up, or the cluster is at its limit and this node waits as a spare.
pub(in crate::planner) fn complete_launch(s: &Situation<'_>) -> Option<Decision> {
    let hook = hooks::open(s, Transition::Launching).find(|h| !s.memory.hook_waits(&h.hook, s.me(), s.now))?;
    let (phase, message) = if votes_and_is_caught_up(s) && is_of_the_charter(s) && node::is_ready(s) {
        (Phase::Voter, explain::launch_after_joining(&hook.hook))
    } else if joining::is_spare(s) {
        (Phase::Spare, explain::launch_of_a_spare(&hook.hook))
    } else {
        return None;
    };
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result: HookResult::Continue };
    Some(Decision::act(phase, step, message))
}

/// The etcd cluster that answers is the established one. A node that votes in another has not joined.
fn is_of_the_charter(s: &Situation<'_>) -> bool {
    let cluster = s.membership().map(|m| m.cluster);
    s.last_record().is_none_or(|r| r.state == State::Established && r.etcd_cluster == cluster)
}

/// This node's member votes, as a quorum confirms, and lags the leader only a little.
pub(in crate::planner) fn votes_and_is_caught_up(s: &Situation<'_>) -> bool {
    let Some(me) = s.my_member().filter(|m| !m.learner) else { return false };
    let leader = s.membership().and_then(|m| m.leader).and_then(|l| s.status(l));
    match (s.status(me.id), leader) {
        (Some(mine), Some(leader)) => leader.index.saturating_sub(mine.applied) <= s.policy.caught_up_lag,
        _ => false,
    }
}
