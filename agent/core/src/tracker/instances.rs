//! The other instances: which are known, which were heard, and which EC2 says have ended.

use crate::ids::InstanceId;
use crate::memory::{KnownInstance, Memory};
use crate::observation::{Ec2Answer, Ec2State, Observation};
use crate::policy::Policy;
use crate::reading::Reading;
use crate::time::Timestamp;

/// Takes in what AWS and the peers say.
pub(super) fn absorb(memory: &mut Memory, seen: &Observation, policy: &Policy, now: Timestamp) {
    absorb_lists(memory, seen);
    for (id, answer) in &seen.cloud.asked {
        if let Reading::Fresh(answer, at) = answer {
            absorb_answer(memory, seen, policy, id, answer, *at);
        }
    }
    let listed = seen.cloud.listed.fresh();
    // An instance that answers is known after all, and so is one that its group watches.
    let is_watched = |id: &InstanceId| listed.and_then(|l| l.get(id)).is_some_and(|i| i.state.is_watched());
    memory.instances.not_found.retain(|id, _| !is_watched(id) && seen.peers.get(id).and_then(|p| p.fresh()).is_none());
    let Memory { kept, instances, .. } = memory;
    for id in kept.seen.keys() {
        if !instances.watched.contains_key(id) {
            instances.watched.insert(id.clone(), now);
        }
    }
    absorb_peers(memory, seen, now);
}

fn absorb_lists(memory: &mut Memory, seen: &Observation) {
    for (id, instance) in seen.cloud.listed.fresh().into_iter().flatten() {
        if let Some(known) = come_to_know(memory, id) {
            known.group.get_or_insert_with(|| instance.group.clone());
        }
    }
    for id in seen.cloud.tagged.fresh().into_iter().flatten() {
        come_to_know(memory, id);
    }
}

/// What EC2 answered of one instance at `at`.
fn absorb_answer(memory: &mut Memory, seen: &Observation, policy: &Policy, id: &InstanceId, answer: &Ec2Answer, at: Timestamp) {
    match answer {
        Ec2Answer::Known { state: Ec2State::Terminated, .. } => {
            memory.instances.terminated.insert(id.clone());
            memory.kept.seen.remove(id);
            memory.instances.not_found.remove(id);
        }
        Ec2Answer::Known { .. } if is_another_roles_node(seen, id) => {
            memory.instances.not_found.remove(id);
        }
        Ec2Answer::Known { address, launched, .. } => {
            memory.instances.not_found.remove(id);
            if let Some(known) = come_to_know(memory, id) {
                known.address = address.or(known.address);
                known.launched = launched.or(known.launched);
            }
        }
        Ec2Answer::NotFound => {
            // After a gap in the questions the hour starts again.
            let (first, last) = memory.instances.not_found.entry(id.clone()).or_insert((at, at));
            if at.since(*last) > policy.aws_cadence * 2 {
                *first = at;
            }
            *last = at;
        }
    }
}

/// Remembers an instance, unless it has ended.
fn come_to_know<'a>(memory: &'a mut Memory, id: &InstanceId) -> Option<&'a mut KnownInstance> {
    if memory.instances.terminated.contains(id) {
        return None;
    }
    if !memory.kept.seen.contains_key(id) {
        memory.kept.seen.insert(id.clone(), KnownInstance { group: None, address: None, launched: None });
    }
    memory.kept.seen.get_mut(id)
}

fn absorb_peers(memory: &mut Memory, seen: &Observation, now: Timestamp) {
    for (id, reading) in &seen.peers {
        if let Reading::Fresh(_, at) = reading {
            memory.instances.heard.insert(id.clone(), *at);
        }
        memory.instances.watched.entry(id.clone()).or_insert(now);
    }
}

/// Remembers the callers that this node never saw: new servers, and only AWS can say whether they are this cluster's.
pub(super) fn absorb_callers(memory: &mut Memory, seen: &Observation, policy: &Policy, now: Timestamp) {
    let Memory { kept, instances, servers, .. } = memory;
    let is_known = |id: &InstanceId| *id == seen.me.instance || kept.seen.contains_key(id) || instances.terminated.contains(id);
    servers.callers.absorb(&seen.callers, is_known, seen.cloud.listed.at(), policy, now);
}

/// The instance of a worker's Node, about which EC2 is asked only to learn of its end: it holds no member data and has no say.
fn is_another_roles_node(seen: &Observation, id: &InstanceId) -> bool {
    let node = seen.kubernetes.nodes.last().and_then(|nodes| nodes.iter().find(|node| node.name == id.as_str()));
    node.is_some_and(|node| !node.control_plane) && seen.cloud.listed.last().is_none_or(|listed| !listed.contains_key(id))
}
