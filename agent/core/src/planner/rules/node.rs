//! What happens to Nodes while the control plane serves.

use crate::explain::draining;
use crate::memory::BackoffKey;
use crate::plan::{NodeStep, Step};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{node, phase};

/// Uncordons what this agent cordoned, once it is back from a reboot or retained after all.
pub(in crate::planner) fn uncordon(s: &Situation<'_>) -> Option<Decision> {
    let node = node::own(s).filter(|node| node.cordoned_by_us && node.ready)?;
    if s.seen.local.shutdown.is_some() || s.memory.waits(BackoffKey::Uncordon, s.now) || node.schedulable {
        return None;
    }
    Some(Decision::act(phase::phase_of_member(s), Step::Node(NodeStep::Uncordon), draining::uncordons()))
}

/// Points the founder's configuration at another server: no restart may find one that would found another cluster (k3s-io/k3s#13623). It comes before a
/// leave: once the member is removed its process ends, and starting it again would do just that.
pub(in crate::planner) fn point_at_another(s: &Situation<'_>) -> Option<Decision> {
    if !s.runs() || s.runs_on_loopback() || s.memory.waits(BackoffKey::PointAt, s.now) {
        return None;
    }
    let present = s.seen.kubernetes.points_at;
    let server = s.another_server().filter(|_| present.is_none())?;
    let step = Step::Node(NodeStep::PointAt { server });
    Some(Decision::act(phase::phase_of_member(s), step, draining::points_at(server)))
}

/// Deletes the Node of an instance that EC2 says has ended, because a worker cannot do it itself; done by the agent beside the leader.
pub(in crate::planner) fn nodes_of_the_dead(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() || s.memory.waits(BackoffKey::DeleteNode, s.now) {
        return None;
    }
    let members = &s.membership()?.members;
    let is_member = |name: &str| members.iter().any(|m| s.instance_of(m).is_some_and(|i| i.as_str() == name));
    let nodes = s.seen.kubernetes.nodes.fresh()?;
    let (instance, uid) = nodes.iter().filter(|n| !n.ready && !is_member(&n.name)).find_map(|node| {
        // That the Node exists shows that EC2 knew its instance once: it may have come back with a snapshot, when no node is left that saw the instance.
        let forgotten =
            s.memory.instances.not_found.iter().filter(|(_, (first, last))| last.since(*first) >= s.policy.unknown_is_gone_after);
        let mut ended = s.memory.instances.terminated.iter().chain(forgotten.map(|(id, _)| id));
        Some((ended.find(|id| id.as_str() == node.name)?.clone(), node.uid.clone()))
    })?;
    let message = draining::deletes_node_of(&instance);
    Some(Decision::act(Phase::Voter, Step::Node(NodeStep::Delete { instance, uid }), message))
}
