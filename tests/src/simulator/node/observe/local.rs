//! The machine itself.

use quorate_core::observation::{DataIdentity, Effort, Installed, LocalData, Process};
use quorate_core::reading::Reading;

use super::super::readings::failed;
use super::super::{Agent, VERSION};
use crate::simulator::world::World;

impl World {
    pub(super) fn observe_local(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        let disk = &self.nodes[n].disk;
        agent.seen.local.superseded = disk.superseded.is_some() || disk.fetched.is_some();
        agent.seen.local.ran_this_boot = self.nodes[n].ran_this_boot;
        agent.seen.local.etcd = Installed { version: Reading::Fresh(self.nodes[n].version, now), ..Installed::unknown("not looked at") };
        agent.seen.local.process = Reading::Fresh(self.process(n), now);
        // A transfer that makes headway.
        let received = self.etcd.servers[n].receives.map(|(since, _)| 1 + now.since(since).as_secs());
        agent.seen.local.effort = Effort { work: None, received };
        if self.nodes[n].disk_unproven {
            failed(&mut agent.seen.local.data, now, limit, "the data directory is not mounted");
        } else {
            agent.seen.local.data = Reading::Fresh(self.data(n), now);
        }
        false
    }

    fn process(&self, n: usize) -> Process {
        let server = &self.etcd.servers[n];
        match &server.run {
            None if let Some(joining) = &self.nodes[n].k3s.joining => Process::Running { since: joining.since, loopback_only: false },
            Some(run) => Process::Running { since: run.since, loopback_only: run.loopback_only },
            None => Process::Stopped { last_exit: server.last_exit.map(str::to_owned) },
        }
    }

    fn data(&self, n: usize) -> LocalData {
        let generation = self.nodes[n].disk.generation;
        match &self.etcd.servers[n].data {
            Some(data) => {
                let (cluster, member) = (Some(data.cluster), Some(data.member));
                LocalData::Present(DataIdentity { cluster, member, generation, version: Some(VERSION) })
            }
            None if self.nodes[n].disk.started_in_vain => {
                LocalData::Present(DataIdentity { cluster: None, member: None, generation, version: None })
            }
            None => LocalData::Empty,
        }
    }
}
