//! Machines: switched on and off by the region, crashed, frozen and wiped by faults.

use std::net::IpAddr;
use std::time::Duration;

use quorate_core::ids::{ClusterName, InstanceId};
use quorate_core::observation::Me;
use quorate_core::time::Timestamp;

use super::{Event, World};
use crate::region;
use crate::simulator::node::{Imds, Node};

impl World {
    /// Does what the region says.
    pub(super) fn follow_region(&mut self) {
        for event in self.region.advance(self.now) {
            match event {
                region::Event::Launch(id) => self.launch(&id),
                region::Event::Shutdown(id) => self.with_node(&id, Self::shut_down),
                region::Event::PowerOff(id) => self.with_node(&id, Self::power_off),
                region::Event::Reboot(id) => self.with_node(&id, Self::reboot),
                // No schedule has a warm pool or replaces a root volume.
                region::Event::Hibernate(_) | region::Event::Wake(_) | region::Event::ReplaceRootVolume(_) => {}
            }
        }
        self.check_actions();
    }

    pub(crate) fn node_of(&self, id: &InstanceId) -> Option<usize> {
        self.nodes.iter().position(|node| node.me.instance == *id)
    }

    fn with_node(&mut self, id: &InstanceId, what: fn(&mut Self, usize)) {
        if let Some(n) = self.node_of(id) {
            what(self, n);
        }
    }

    fn launch(&mut self, id: &InstanceId) {
        let n = match self.node_of(id) {
            Some(n) => n,
            None => self.new_node(id),
        };
        self.nodes[n].powered = true;
        self.tell(n, || "is switched on".into());
        let (low, high) = self.schedule.boot;
        self.start_in(n, low, high);
    }

    fn new_node(&mut self, id: &InstanceId) -> usize {
        let config = self.region.config();
        let (account, region) = (config.account.clone(), config.region.clone());
        let instance = self.region.instance(id);
        let address = instance.map_or(IpAddr::from([0, 0, 0, 0]), |i| i.address);
        let launched = instance.map_or(Timestamp(0), |i| i.launched_at);
        let group = instance.map(|i| self.region.group_of(i).name.clone()).unwrap_or_else(|| "none".into());
        let me = Me {
            instance: id.clone(),
            address,
            group,
            account,
            region,
            cluster: ClusterName::new(super::CLUSTER),
            role: self.schedule.role,
            launched,
        };
        self.etcd.add_host(id.clone(), address, self.schedule.role);
        self.nodes.push(Node::new(me, self.now));
        self.nodes.len() - 1
    }

    /// The agent starts between `low` and `high` milliseconds from now.
    pub(crate) fn start_in(&mut self, n: usize, low: u64, high: u64) {
        let pause = Duration::from_millis(self.rng.between(low, high));
        let epoch = self.nodes[n].epoch;
        self.queue.set(self.now + pause, Event::Start { node: n, epoch });
    }

    /// The operating system is up, and the agent can start once IMDS says which instance it is.
    pub(super) fn boot(&mut self, n: usize) {
        if !self.region.instance(&self.nodes[n].me.instance).is_some_and(|i| i.powered) {
            return;
        }
        if self.nodes[n].imds == Imds::Silent || self.nodes[n].is_frozen() {
            return self.start_in(n, 1000, 1000);
        }
        self.nodes[n].powered = true;
        self.start_agent(n);
    }

    /// The power button: half of the time the agent sees none of it.
    fn shut_down(&mut self, n: usize) {
        self.tell(n, || "shuts down".into());
        if self.rng.chance(500) {
            self.kill_agent(n);
            self.end_process(n, true);
        }
        let pause = Duration::from_millis(self.rng.between(300, 3000));
        let epoch = self.nodes[n].epoch;
        self.queue.set(self.now + pause, Event::Off { node: n, epoch });
    }

    pub(super) fn os_is_down(&mut self, n: usize) {
        self.end_process(n, true);
        self.region.guest_poweroff(&self.nodes[n].me.instance.clone(), self.now);
    }

    /// Nothing of it comes back: its disk is lost with it.
    fn power_off(&mut self, n: usize) {
        self.tell(n, || "is off, and its disk gone".into());
        self.halt_machine(n);
        self.lose_disk(n);
    }

    fn halt_machine(&mut self, n: usize) {
        self.kill_agent(n);
        self.end_process(n, false);
        let node = &mut self.nodes[n];
        node.powered = false;
        node.ran_this_boot = false;
        node.frozen_until = None;
        self.etcd.servers[n].frozen = false;
    }

    pub(crate) fn lose_disk(&mut self, n: usize) {
        self.before_data_is_lost(n);
        self.etcd.servers[n].data = None;
        self.nodes[n].disk = crate::simulator::node::disk::Disk::default();
        self.nodes[n].k3s = crate::simulator::k3s::Unit::default();
    }

    /// A clean restart of the operating system.
    pub(crate) fn reboot(&mut self, n: usize) {
        self.tell(n, || "reboots".into());
        self.end_process(n, true);
        self.halt_machine(n);
        self.start_in(n, 3000, 9000);
    }

    /// The machine loses power for a moment.
    pub(crate) fn crash_machine(&mut self, n: usize) {
        self.tell(n, || "its machine crashes and comes back".into());
        self.stats.machine_crashes += 1;
        self.halt_machine(n);
        self.start_in(n, 4000, 15000);
    }

    /// The machine stands still.
    pub(crate) fn freeze(&mut self, n: usize, how_long: Duration) {
        self.tell(n, || format!("freezes for {how_long:?}"));
        self.nodes[n].frozen_until = Some(self.now + how_long);
        self.etcd.servers[n].frozen = true;
        self.queue.set(self.now + how_long, Event::Thaw { node: n });
    }

    pub(super) fn thaw(&mut self, n: usize) {
        if self.nodes[n].frozen_until.is_some_and(|until| until <= self.now) {
            self.tell(n, || "goes on".into());
            self.nodes[n].frozen_until = None;
            self.nodes[n].able_since = self.now;
            self.etcd.servers[n].frozen = false;
        }
    }
}
