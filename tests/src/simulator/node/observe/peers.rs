//! The other agents, each at the address that EC2 gives for it.

use std::net::IpAddr;

use quorate_core::ids::InstanceId;
use quorate_core::observation::Ec2Answer;
use quorate_core::reading::Reading;
use quorate_core::role::Role;

use super::super::Agent;
use super::super::readings::{confirm, failed};
use crate::simulator::world::World;

impl World {
    pub(super) fn observe_peers(&mut self, n: usize, agent: &mut Agent) -> bool {
        let mut slow = false;
        agent.seen.callers = std::mem::take(&mut self.nodes[n].callers);
        for (id, address) in addresses(agent) {
            if id != self.nodes[n].me.instance && !agent.memory().instances.terminated.contains(&id) {
                slow |= !self.ask_peer(n, agent, &id, address);
            }
        }
        slow
    }

    /// Asks one peer; whether it answered.
    fn ask_peer(&mut self, n: usize, agent: &mut Agent, id: &InstanceId, address: IpAddr) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        let missed = self.misses();
        let there = self.at_address(address).filter(|p| !missed && *p != n && self.reaches(n, *p) && self.nodes[*p].is_awake());
        let answer = there.and_then(|p| Some((p, self.nodes[p].answer.as_ref()?))).filter(|(_, a)| a.said.instance == *id);
        let Some((p, answer)) = answer else {
            let reading = agent.seen.peers.entry(id.clone()).or_insert_with(|| Reading::unknown("never asked"));
            failed(reading, now, limit, "its agent does not answer");
            return false;
        };
        let known = agent.heard.insert(p, answer.record_version);
        let me = &self.nodes[n].me;
        let calls = (me.role == Role::ControlPlane).then(|| me.instance.clone());
        match agent.seen.peers.get_mut(id) {
            Some(reading) if known == Some(answer.record_version) && reading.last().is_some() => {
                confirm(reading, now);
                if let Reading::Fresh(said, _) = reading {
                    (said.phase, said.quorum) = (answer.said.phase, answer.said.quorum);
                    (said.leaving, said.leave_within_ms) = (answer.said.leaving, answer.said.leave_within_ms);
                    said.received = answer.said.received;
                    said.data = answer.said.data.clone();
                    said.control_plane.clone_from(&answer.said.control_plane);
                }
            }
            _ => {
                agent.seen.peers.insert(id.clone(), Reading::Fresh(answer.said.clone(), now));
            }
        }
        self.nodes[p].callers.extend(calls);
        true
    }
}

/// Every instance whose address is known: from EC2's last answer, otherwise as remembered.
pub(super) fn addresses(agent: &Agent) -> Vec<(InstanceId, IpAddr)> {
    let kept = agent.memory().kept.seen.iter().filter_map(|(id, seen)| Some((id.clone(), seen.address?)));
    let mut all: Vec<(InstanceId, IpAddr)> = kept.collect();
    for (id, answer) in &agent.seen.cloud.asked {
        let remembered = agent.memory().kept.seen.get(id).is_some_and(|s| s.address.is_some());
        if let Some(Ec2Answer::Known { address: Some(address), .. }) = answer.last().filter(|_| !remembered) {
            all.push((id.clone(), *address));
        }
    }
    all
}
