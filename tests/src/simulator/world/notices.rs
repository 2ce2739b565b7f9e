//! What EC2 announces to an instance, and then does.

use std::time::Duration;

use quorate_core::pausing::Pause;
use quorate_core::time::Timestamp;

use super::World;
use super::faults::OPERATOR;
use crate::region::{LifecycleState, MaintenanceEvent, SpotAction};
use crate::simulator::schedule::{Fault, Weather};

/// After this long an earlier fault is no longer an excuse.
const RECOVERED: Duration = Duration::from_secs(60);

/// An announcement, until it is carried out.
#[derive(Debug)]
pub(super) struct Announced {
    node: usize,
    due: Timestamp,
    /// No other fault occurs meanwhile: the node has no excuse for voting when its machine is taken.
    undisturbed: bool,
}

impl World {
    /// Tells the instance; false if it is not one in service.
    pub(super) fn announce(&mut self, index: usize, n: usize, fault: &Fault, lasts: Duration) -> bool {
        let id = self.nodes[n].me.instance.clone();
        if !self.is_in_service(n) {
            return false;
        }
        let due = self.now + lasts;
        if let Fault::Pause { cluster } = fault {
            self.announced.insert(index, Announced { node: n, due, undisturbed: false });
            return self.order_pause(n, *cluster, true);
        }
        let undisturbed = self.is_undisturbed(index, n, due);
        let now = self.now;
        if let Fault::Standby { decrement } = fault {
            let result = self.region.api(&OPERATOR, now).enter_standby(&id, *decrement);
            return result.is_ok_and(|()| self.announced.insert(index, Announced { node: n, due, undisturbed }).is_none());
        }
        let Some(metadata) = self.region.metadata_mut(&id) else { return false };
        match fault {
            Fault::Spot { action } => metadata.spot = Some(SpotAction { action, time: due }),
            Fault::ScheduledStop { .. } => metadata.maintenance.push(MaintenanceEvent {
                code: "instance-stop",
                id: format!("instance-event-{index}"),
                state: "active",
                not_before: due,
                not_after: None,
            }),
            _ => metadata.rebalance = Some(now),
        }
        self.announced.insert(index, Announced { node: n, due, undisturbed });
        self.stats.notices += 1;
        true
    }

    /// Does what was announced, once.
    pub(super) fn carry_out(&mut self, index: usize, fault: &Fault) {
        let Some(Announced { node: n, due, undisturbed }) = self.announced.remove(&index) else { return };
        let id = self.nodes[n].me.instance.clone();
        if let Fault::Pause { cluster } = fault {
            self.order_pause(n, *cluster, false);
            return;
        }
        let taken = !matches!(fault, Fault::Rebalance | Fault::Standby { .. } | Fault::ScheduledStop { canceled: true });
        if taken && undisturbed && self.now >= due {
            self.check_has_left(n);
        }
        let now = self.now;
        match fault {
            Fault::Standby { .. } => drop(self.region.api(&OPERATOR, now).exit_standby(&id)),
            Fault::ScheduledStop { canceled: true } => {
                let events = self.region.metadata_mut(&id).into_iter().flat_map(|m| m.maintenance.iter_mut());
                events.filter(|event| event.id == format!("instance-event-{index}")).for_each(|event| event.state = "canceled");
            }
            _ if !self.region.instance(&id).is_some_and(|i| i.powered) => {}
            Fault::Rebalance => self.terminate(n, false),
            // Nothing replaces an instance that is stopped outside of a group or in standby: there it is ended.
            Fault::Spot { action: "terminate" } => self.ec2_terminate(n),
            _ if !self.is_in_service(n) => self.ec2_terminate(n),
            _ => self.region.stop_instance(&id, now),
        }
    }

    /// An operator types `quorate pause` or `quorate resume` on a node; false if no agent takes it.
    fn order_pause(&mut self, n: usize, cluster: bool, begins: bool) -> bool {
        let pause = Pause { since: self.now, by: "the operator".into(), on: self.nodes[n].me.instance.clone() };
        let node = &mut self.nodes[n];
        let Some(agent) = &mut node.agent else { return false };
        let mut kept = agent.engine.kept().clone();
        match begins {
            true => kept.pausing.pause(pause, cluster),
            false => kept.pausing.resume(cluster),
        }
        node.disk.kept = Some(kept.clone());
        agent.engine.adopt(kept);
        self.stats.pauses += u64::from(begins);
        true
    }

    /// Once all is over an operator ends every pause that is still in force: a node that was to be resumed may have been down.
    pub(super) fn end_pauses(&mut self) {
        let paused = |w: &Self, n: usize| w.nodes[n].agent.as_ref().is_some_and(|a| a.memory().kept.pausing.in_force().is_some());
        for n in (0..self.nodes.len()).filter(|n| self.checks.calm && paused(self, *n)).collect::<Vec<_>>() {
            self.order_pause(n, true, false);
        }
    }

    fn is_in_service(&self, n: usize) -> bool {
        self.region.instance(&self.nodes[n].me.instance).is_some_and(|i| i.powered && i.lifecycle == LifecycleState::InService)
    }

    /// Whether the node can do nothing but leave in time: it is one of three voters at least that are all well, and nothing else happens.
    fn is_undisturbed(&self, index: usize, n: usize, due: Timestamp) -> bool {
        let others = self.schedule.faults.iter().enumerate().filter(|(i, _)| *i != index);
        let alone = || others.into_iter().all(|(_, (at, _, lasts))| *at > due || *at + *lasts + RECOVERED < self.now);
        let at_rest = || self.region.instances().iter().filter(|i| i.member).all(|i| i.lifecycle == LifecycleState::InService);
        let Some(list) = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()) else { return false };
        let well = list.members.iter().all(|m| !m.learner && self.etcd.host_of(list.cluster, m.id).is_some());
        self.schedule.weather == Weather::fair() && list.members.len() >= 3 && well && self.votes(n) && alone() && at_rest()
    }

    fn votes(&self, n: usize) -> bool {
        let Some(list) = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()) else { return false };
        let me = self.etcd.servers[n].data.as_ref().filter(|d| d.cluster == list.cluster).map(|d| d.member);
        me.and_then(|id| list.entry(id)).is_some_and(|m| !m.learner)
    }

    fn check_has_left(&mut self, n: usize) {
        if self.votes(n) {
            let text = format!("{} had a notice and all it needed to leave, and votes while EC2 takes it", self.nodes[n].me.instance);
            return self.violate("I3", text);
        }
        self.stats.left_on_notice += 1;
    }
}
