//! Nodes: registered by the kubelet of each process, ready while it reports, and there until somebody deletes them.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::ids::{EtcdClusterId, InstanceId};
use quorate_core::time::Timestamp;

use crate::simulator::world::World;

/// From the start of the process to its kubelet's first report.
const KUBELET: Duration = Duration::from_secs(2);
/// A Node whose kubelet has been silent for this long is not ready; Kubernetes waits 40 s, and the times of a run are a quarter of the real ones.
const SILENT: Duration = Duration::from_secs(10);

/// A Node.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) uid: String,
    beat: Timestamp,
    ready_last: Timestamp,
    ready_from: Timestamp,
    pub(crate) cordoned: bool,
    pub(crate) removed: bool,
    /// When k3s takes its member out of etcd next, because the Node asks for it or is being deleted.
    pub(super) remove_at: Option<Timestamp>,
    /// Deleted, and kept by the finalizer until its member is out.
    pub(crate) deleting: bool,
}

impl Registered {
    pub(crate) fn is_ready(&self, now: Timestamp) -> bool {
        now >= self.ready_from && now.since(self.beat) < SILENT
    }

    /// It is, or was until this long ago.
    pub(crate) fn was_ready(&self, now: Timestamp, ago: Duration) -> bool {
        self.is_ready(now) || (self.ready_last > Timestamp(0) && now.since(self.ready_last) < SILENT + ago)
    }

    /// The annotation is on it.
    pub(crate) fn ask_for_removal(&mut self, at: Timestamp) {
        self.remove_at = self.remove_at.or(Some(at)).filter(|_| !self.removed);
    }
}

impl World {
    /// The cluster whose API answers node `n`, by its own server or another's.
    pub(crate) fn api(&self, n: usize) -> Option<EtcdClusterId> {
        let unit = &self.nodes[n].k3s;
        let cluster = unit.kubeconfig.filter(|_| !unit.api_away)?;
        let answers = |h: &usize| self.serves_api(*h, cluster) && (*h == n || (self.etcd.serves_remote(*h) && self.reaches(n, *h)));
        (0..self.nodes.len()).find(answers).map(|_| cluster)
    }

    /// An API server needs its own etcd to vote and to have quorum.
    fn serves_api(&self, host: usize, cluster: EtcdClusterId) -> bool {
        if self.nodes[host].k3s.config.as_ref().is_some_and(|config| config.etcd_alone) {
            return false;
        }
        let votes = self.etcd.servers[host].live().is_some_and(|(d, run)| run.ready && d.is_voter() && d.cluster == cluster);
        votes && self.etcd.leader_near(host, &self.network).is_some_and(|l| self.etcd.has_quorum(l, &self.network))
    }

    pub(crate) fn registered(&self, cluster: EtcdClusterId, instance: &InstanceId) -> Option<&Registered> {
        self.kubernetes.nodes.get(&cluster)?.get(instance)
    }

    pub(crate) fn registered_mut(&mut self, cluster: EtcdClusterId, instance: &InstanceId) -> Option<&mut Registered> {
        self.kubernetes.nodes.get_mut(&cluster)?.get_mut(instance)
    }

    /// The kubelet registers once in its process's life, and reports while an API server answers.
    pub(super) fn tick_kubelet(&mut self, n: usize) {
        let now = self.now;
        let Some(started) = self.nodes[n].k3s.started.filter(|_| self.etcd.serves(n)) else { return };
        let Some(cluster) = self.api(n).filter(|_| now.since(started) >= KUBELET) else { return };
        let id = self.nodes[n].me.instance.clone();
        if !self.nodes[n].k3s.registered {
            self.register(n, cluster, &id);
        }
        if let Some(node) = self.registered_mut(cluster, &id) {
            node.beat = now;
        }
    }

    /// Notes which Nodes are ready.
    pub(super) fn tick_nodes(&mut self) {
        let now = self.now;
        for node in self.kubernetes.nodes.values_mut().flat_map(BTreeMap::values_mut).filter(|node| node.is_ready(now)) {
            node.ready_last = now;
        }
    }

    fn register(&mut self, n: usize, cluster: EtcdClusterId, id: &InstanceId) {
        let ready_from = self.now + Duration::from_millis(self.rng.between(500, 6000));
        if let Some(node) = self.registered_mut(cluster, id) {
            if node.deleting {
                return;
            }
            node.ready_from = ready_from;
        } else {
            self.kubernetes.made += 1;
            let uid = format!("uid-{}", self.kubernetes.made);
            let node = Registered {
                uid,
                beat: self.now,
                ready_last: Timestamp(0),
                ready_from,
                cordoned: false,
                removed: false,
                remove_at: None,
                deleting: false,
            };
            self.kubernetes.nodes.entry(cluster).or_default().insert(id.clone(), node);
            self.nodes[n].k3s.drained = false;
        }
        self.nodes[n].k3s.registered = true;
    }

    /// Deletes a Node: at once, unless the finalizer has k3s take its member out first.
    pub(crate) fn delete_node(&mut self, cluster: EtcdClusterId, id: &InstanceId) {
        let is_member = self.list_of(cluster).is_some_and(|list| list.members.iter().any(|m| m.name.as_ref() == Some(id)));
        let now = self.now;
        let Some(node) = self.registered_mut(cluster, id) else { return };
        if is_member {
            node.deleting = true;
            node.remove_at = Some(now);
        } else if let Some(nodes) = self.kubernetes.nodes.get_mut(&cluster) {
            nodes.remove(id);
        }
    }
}
