//! The Kubernetes node around the member: drained before the member leaves, deleted after it, cordoned over a reboot.

use std::fmt::Display;

use crate::drain::Limits;
use crate::explain::draining;
use crate::memory::BackoffKey;
use crate::observation::{Draining, NodeView};
use crate::plan::{NodeStep, Step};
use crate::report::Phase;
use crate::situation::{Departure, Situation};
use crate::time::Timestamp;

use crate::planner::decision::Decision;
use crate::planner::subjects::phase;

/// Drains the node before everything else of a leave, while the kubelet still runs; a node without one has nothing to drain.
pub(in crate::planner) fn drain_before_leaving(s: &Situation<'_>, departure: &Departure, reserve: std::time::Duration) -> Option<Decision> {
    // Once its member is removed its own API server ends, whatever began the leave: what was to be drained was drained before.
    let is_out = s.membership().is_some_and(|m| s.own_entries(&m.members).next().is_none()) && s.ways().is_let_in;
    if !s.ways().has_node || !s.runs() || is_out || s.memory.leaving.as_ref().is_some_and(|leave| leave.removal_asked.is_some()) {
        return None;
    }
    let since = s.memory.leaving_since().unwrap_or(s.now);
    let deadline = departure.deadline.map(|at| if s.now + reserve < at { Timestamp(at.0.saturating_sub(millis(reserve))) } else { s.now });
    let end = deadline.map_or(since + s.policy.drain.budget, |at| at.min(since + s.policy.drain.budget));
    let drained = if s.now < end && is_open_again(s) { Some(begin(s, end, &departure.why)) } else { drain(s, end, &departure.why) };
    drained.map(|d| Decision { phase: Phase::Leaving, ..d }.until(departure.deadline))
}

/// Pods may be bound to its Node although a drain has ended: the Node was made or its API server came back only after that, or somebody uncordoned it. A leaver may
/// wait for its replacement for minutes yet.
fn is_open_again(s: &Situation<'_>) -> bool {
    let Draining::Over { at: ended, .. } = &s.seen.kubernetes.draining else { return false };
    let read = s.seen.kubernetes.node.at();
    own(s).is_some_and(|node| node.schedulable) && read.is_some_and(|read| read > *ended)
}

fn begin(s: &Situation<'_>, end: Timestamp, why: &dyn Display) -> Decision {
    Decision::act(Phase::Leaving, Step::Node(NodeStep::Drain(limits(s, end))), draining::begins(why))
}

fn drain(s: &Situation<'_>, end: Timestamp, why: &dyn Display) -> Option<Decision> {
    match &s.seen.kubernetes.draining {
        Draining::Over { .. } => None,
        // A deadline moves with every heartbeat; only one that is nearer, or much further away, is worth passing on.
        Draining::Goes { message, end: known } if end + SLACK >= *known && *known + SLACK * 10 >= end => {
            Some(Decision::wait(Phase::Leaving, draining::is_under_way(why, message)).again_in(s.policy.retry))
        }
        Draining::NotBegun | Draining::Goes { .. } => Some(begin(s, end, why)),
    }
}

const SLACK: std::time::Duration = std::time::Duration::from_secs(1);

fn limits(s: &Situation<'_>, end: Timestamp) -> Limits {
    let drain = s.policy.drain;
    let (retry, batch, patience_without_api, escalation) = (drain.retry, drain.batch, drain.patience_without_api, drain.escalation);
    Limits { end, retry, batch, patience_without_api, escalation }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Cordons the node over a reboot, or drains it where the operator wants that. With no API server it reboots as it is.
pub(in crate::planner) fn before_reboot(s: &Situation<'_>) -> Option<Decision> {
    let shutdown = s.seen.local.shutdown?;
    let node = own(s).filter(|_| s.runs() && s.ways().has_node)?;
    if s.policy.drain.at_reboot {
        let half = shutdown.deadline.since(s.now) / 2;
        let end = (s.now + half).min(shutdown.deadline);
        let known = match &s.seen.kubernetes.draining {
            Draining::Goes { end, .. } => *end,
            Draining::NotBegun | Draining::Over { .. } => end,
        };
        return drain(s, known, &draining::for_a_reboot()).map(|d| Decision { phase: Phase::Voter, ..d });
    }
    if !node.schedulable || s.memory.waits(BackoffKey::Cordon, s.now) {
        return None;
    }
    Some(Decision::act(phase::phase_of_member(s), Step::Node(NodeStep::Cordon), draining::cordons_for_a_reboot()))
}

/// Deletes this instance's own Node, once everything else is gone. Without an API server the others delete it later.
pub(in crate::planner) fn delete_own(s: &Situation<'_>) -> Option<Decision> {
    let node = own(s).filter(|_| s.ways().is_let_in)?;
    if s.memory.waits(BackoffKey::DeleteNode, s.now) {
        return None;
    }
    let step = Step::Node(NodeStep::Delete { instance: s.me().clone(), uid: node.uid.clone() });
    Some(Decision::act(Phase::Leaving, step, draining::deletes_own_node()))
}

/// This instance's Node, fresh.
pub(in crate::planner) fn own<'a>(s: &Situation<'a>) -> Option<&'a NodeView> {
    s.seen.kubernetes.node.fresh()?.as_ref()
}

/// The Node exists and is ready, and nothing says that its member does not vote. A plain etcd member has no Node to ask about.
pub(in crate::planner) fn is_ready(s: &Situation<'_>) -> bool {
    !s.ways().has_node || own(s).is_some_and(|node| node.ready && node.is_voter != Some(false))
}
