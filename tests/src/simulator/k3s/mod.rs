//! A model of k3s servers: the process around etcd with its configuration file, its controllers, and the Nodes.
//!
//! The rules are those of `shared/reference/etcd-and-distro-facts.md` C. What is left out: pods, RBAC, certificates beyond "there are some".

mod controllers;
mod nodes;
mod process;

use std::collections::BTreeMap;
use std::net::IpAddr;

use quorate_core::ids::{EtcdClusterId, InstanceId, MemberId};
use quorate_core::time::Timestamp;

use super::world::World;
pub(crate) use nodes::Registered;

/// What the rendered configuration file says.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// `server:`; without it `cluster-init: true`.
    pub(crate) server: Option<IpAddr>,
    /// `bind-address: 127.0.0.1`.
    pub(crate) loopback_only: bool,
    /// No API server, controllers or kubelet.
    pub(crate) etcd_alone: bool,
}

/// A process that has no etcd yet.
#[derive(Clone, Debug)]
pub(crate) struct Joining {
    pub(crate) since: Timestamp,
    server: IpAddr,
    /// The other server gave it the cluster's certificates.
    contacted: bool,
    next: Timestamp,
}

/// One instance's k3s, and what it leaves on the disk besides etcd's data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    pub(crate) config: Option<Config>,
    pub(crate) joining: Option<Joining>,
    /// Since when the process has run, for its kubelet.
    pub(crate) started: Option<Timestamp>,
    /// The kubelet of this process has registered its Node.
    registered: bool,
    /// The agent has stopped it for good: its unit's condition keeps anything else from starting it.
    pub(crate) kept_down: bool,
    /// etcd's client certificates lie here, since k3s began here and until its data is put aside.
    pub(crate) credentials: bool,
    /// `k3s.yaml`, and of which cluster.
    pub(crate) kubeconfig: Option<EtcdClusterId>,
    /// etcd ended because its member was removed.
    pub(crate) tombstone: bool,
    /// When somebody starts it again without asking.
    restart_at: Option<Timestamp>,
    /// Its node was drained since it was last open to pods, or was asked out of the cluster while nothing ran on it.
    pub(crate) drained: bool,
    /// No API server answers this machine.
    pub(crate) api_away: bool,
}

/// What all servers share.
#[derive(Debug, Default)]
pub(crate) struct Kubernetes {
    /// The Nodes, which lie in etcd and so belong to a cluster.
    pub(crate) nodes: BTreeMap<EtcdClusterId, BTreeMap<InstanceId, Registered>>,
    /// Nodes ever made.
    made: u64,
    /// The learner as the k3s beside the leader watches it: its applied index, and since when that has not moved.
    watched: Option<(MemberId, usize, Timestamp)>,
    /// When that one last looked after learners.
    tended: Timestamp,
}

impl World {
    /// One beat of every server.
    pub(crate) fn tick_servers(&mut self) {
        if !self.has_servers() {
            return;
        }
        for n in 0..self.nodes.len() {
            self.tick_process(n);
        }
        self.tick_controllers();
        self.tick_nodes();
        for n in 0..self.nodes.len() {
            self.tick_kubelet(n);
        }
    }

    /// A distribution runs the members of this run.
    pub(crate) fn has_servers(&self) -> bool {
        self.schedule.role.has_node()
    }
}
