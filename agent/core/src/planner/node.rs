//! The Kubernetes node around the member: drained before it goes, deleted after it, cordoned over a reboot.

use crate::drain::Limits;
use crate::memory::BackoffKey;
use crate::observation::{Draining, NodeView};
use crate::plan::{NodeStep, Step};
use crate::report::Phase;
use crate::role::Role;
use crate::situation::{Departure, Situation};
use crate::time::Timestamp;

use super::decision::Decision;

/// The drain comes before everything else of a leave, while the kubelet still runs; a node without one has nothing to drain.
pub(super) fn drain_before_leaving(s: &Situation<'_>, departure: &Departure, reserve: std::time::Duration) -> Option<Decision> {
    // Once its member is removed its own API server ends, whoever began the leave: what was to be drained was drained before.
    let is_out = s.membership().is_some_and(|m| s.own_entries(&m.members).next().is_none()) && s.seen.me.role == Role::ControlPlane;
    if !s.seen.me.role.has_node() || !s.runs() || is_out || s.memory.leaving.as_ref().is_some_and(|leave| leave.removal_asked.is_some()) {
        return None;
    }
    let since = s.memory.leaving_since().unwrap_or(s.now);
    let deadline = departure.deadline.map(|at| if s.now + reserve < at { Timestamp(at.0.saturating_sub(millis(reserve))) } else { s.now });
    let end = deadline.map_or(since + s.policy.drain.budget, |at| at.min(since + s.policy.drain.budget));
    drain(s, end, &departure.why).map(|d| Decision { phase: Phase::Leaving, ..d }.until(departure.deadline))
}

fn drain(s: &Situation<'_>, end: Timestamp, why: &str) -> Option<Decision> {
    match &s.seen.kubernetes.draining {
        Draining::Over { .. } => None,
        // A deadline moves with every heartbeat; only one that is nearer, or much further, is worth a word.
        Draining::Goes { says, end: known } if end + SLACK >= *known && *known + SLACK * 10 >= end => {
            Some(Decision::wait(Phase::Leaving, format!("drains its node, as {why}: {says}")).again_in(s.policy.retry))
        }
        Draining::NotBegun | Draining::Goes { .. } => {
            let step = Step::Node(NodeStep::Drain(limits(s, end)));
            Some(Decision::act(Phase::Leaving, step, format!("drains its node, as {why}")))
        }
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

/// Over a reboot the node is cordoned, and drained where the operator wants that. With no API server it reboots as it is.
pub(super) fn before_reboot(s: &Situation<'_>) -> Option<Decision> {
    let shutdown = s.seen.local.shutdown?;
    let node = own(s).filter(|_| s.runs() && s.seen.me.role.has_node())?;
    if s.policy.drain.at_reboot {
        let half = shutdown.deadline.since(s.now) / 2;
        let end = (s.now + half).min(shutdown.deadline);
        let known = match &s.seen.kubernetes.draining {
            Draining::Goes { end, .. } => *end,
            Draining::NotBegun | Draining::Over { .. } => end,
        };
        return drain(s, known, "the machine reboots").map(|d| Decision { phase: Phase::Voter, ..d });
    }
    if !node.schedulable || s.memory.waits(BackoffKey::Cordon, s.now) {
        return None;
    }
    Some(Decision::act(super::serve::phase_of_member(s), Step::Node(NodeStep::Cordon), "cordons its node for the reboot"))
}

/// Back from a reboot, or retained after all: what this agent cordoned is made schedulable again.
pub(super) fn uncordon(s: &Situation<'_>) -> Option<Decision> {
    let node = own(s).filter(|node| node.cordoned_by_us && node.ready)?;
    if s.seen.local.shutdown.is_some() || s.memory.waits(BackoffKey::Uncordon, s.now) || node.schedulable {
        return None;
    }
    Some(Decision::act(
        super::serve::phase_of_member(s),
        Step::Node(NodeStep::Uncordon),
        "makes its node schedulable again, which it had cordoned",
    ))
}

/// No restart of the founder may find a configuration that would found another cluster (k3s-io/k3s#13623). It comes before a leave: once its member is
/// removed its process ends, and whoever starts it again then does just that.
pub(super) fn point_at_another(s: &Situation<'_>) -> Option<Decision> {
    if s.seen.me.role != Role::ControlPlane || !s.runs() || s.runs_on_loopback() || s.memory.waits(BackoffKey::PointAt, s.now) {
        return None;
    }
    let present = s.seen.kubernetes.points_at;
    let server = s.another_server().filter(|_| present.is_none())?;
    let step = Step::Node(NodeStep::PointAt { server });
    Some(Decision::act(
        super::serve::phase_of_member(s),
        step,
        format!("has its configuration name {server}, so that no restart can found a second cluster"),
    ))
}

/// The Node that is left when everything else is gone. Without an API server the others delete it later.
pub(super) fn delete_own(s: &Situation<'_>) -> Option<Decision> {
    let node = own(s).filter(|_| s.seen.me.role == Role::ControlPlane)?;
    if s.memory.waits(BackoffKey::DeleteNode, s.now) {
        return None;
    }
    let step = Step::Node(NodeStep::Delete { instance: s.me().clone(), uid: node.uid.clone() });
    Some(Decision::act(Phase::Leaving, step, "deletes its Node"))
}

/// The agent beside the leader deletes the Node of an instance that EC2 says has ended: a worker cannot do it itself.
pub(super) fn nodes_of_the_dead(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() || s.memory.waits(BackoffKey::DeleteNode, s.now) {
        return None;
    }
    let members = &s.membership()?.members;
    let is_member = |name: &str| members.iter().any(|m| s.instance_of(m).is_some_and(|i| i.as_str() == name));
    let nodes = s.seen.kubernetes.nodes.fresh()?;
    let (instance, uid) = nodes.iter().filter(|n| !n.ready && !is_member(&n.name)).find_map(|node| {
        // That it is there shows that EC2 knew it once: a Node may have come back with a snapshot, and nobody be left who saw its instance.
        let forgotten =
            s.memory.instances.not_found.iter().filter(|(_, (first, last))| last.since(*first) >= s.policy.unknown_is_gone_after);
        let mut ended = s.memory.instances.terminated.iter().chain(forgotten.map(|(id, _)| id));
        Some((ended.find(|id| id.as_str() == node.name)?.clone(), node.uid.clone()))
    })?;
    let says = format!("deletes the Node of {instance}, which has ended");
    Some(Decision::act(Phase::Voter, Step::Node(NodeStep::Delete { instance, uid }), says))
}

/// Its Node, fresh.
pub(super) fn own<'a>(s: &Situation<'a>) -> Option<&'a NodeView> {
    s.seen.kubernetes.node.fresh()?.as_ref()
}

/// The Node is there and ready, and no word says that its member does not vote; of a plain etcd member there is none to ask for.
pub(super) fn is_ready(s: &Situation<'_>) -> bool {
    !s.seen.me.role.has_node() || own(s).is_some_and(|node| node.ready && node.is_voter != Some(false))
}
