//! The stand-in for the node lifecycle controller and the pod garbage collector (kubernetes/kubernetes `pkg/controller/nodelifecycle`, `podgc`).
//!
//! Only a Node whose kubelet has ever reported is watched here. A Node that a test put into the cluster has a kubelet that always runs.

use quorate_core::time::Timestamp;
use serde_json::{Value, json};

use super::cluster::{Cluster, Due};
use super::kubelet::running;
use super::object::{is_being_deleted, is_finished, node_of, text};
use super::resource::{Key, Resource};

impl Cluster {
    /// The kubelet of this node has reported.
    pub(super) fn heartbeat(&mut self, node: &str) {
        let back = self.is_silent(node);
        self.heartbeats.insert(node.to_owned(), self.now);
        self.after(self.node_grace, Due::Silent(node.to_owned(), self.now));
        if back {
            self.set_pods_ready(node, true);
        }
    }

    /// Its kubelet has reported once and has not for the grace.
    pub(super) fn is_silent(&self, node: &str) -> bool {
        self.heartbeats.get(node).is_some_and(|last| self.now.since(*last) >= self.node_grace)
    }

    /// The grace is over: unless the kubelet has reported since, the node's state is unknown, and its pods count as not ready.
    pub(super) fn node_silent(&mut self, node: &str, since: Timestamp) {
        if self.heartbeats.get(node) != Some(&since) {
            return;
        }
        let key = Key::node(node);
        if let Some(mut object) = self.store.get(&key).cloned() {
            for condition in object.pointer_mut("/status/conditions").and_then(Value::as_array_mut).into_iter().flatten() {
                if condition["type"] == "Ready" {
                    *condition = unknown();
                }
            }
            self.update(&key, object);
        }
        self.set_pods_ready(node, false);
    }

    fn set_pods_ready(&mut self, node: &str, ready: bool) {
        let runs = |pod: &&Value| node_of(pod) == node && text(pod, "/status/phase") == "Running";
        let pods: Vec<Value> = self.all(Resource::Pods).filter(runs).cloned().collect();
        for mut pod in pods {
            let key = Key::new(Resource::Pods, text(&pod, "/metadata/namespace"), super::object::name(&pod));
            pod["status"] = running(ready);
            self.update(&key, pod);
        }
    }

    /// Pods of a Node that is gone are taken away without grace: there is no kubelet that could end them.
    pub(super) fn collect_orphans(&mut self) {
        let orphaned = |pod: &&Value| {
            let node = node_of(pod);
            self.heartbeats.contains_key(node) && self.store.get(&Key::node(node)).is_none()
        };
        let keys = |pod: &Value| Key::new(Resource::Pods, text(pod, "/metadata/namespace"), super::object::name(pod));
        let orphans: Vec<Key> = self.all(Resource::Pods).filter(orphaned).map(keys).collect();
        for key in orphans {
            self.store.remove(&key);
            self.reconcile_soon();
        }
    }

    /// How many pods run on a node: ready, not about to end.
    #[must_use]
    pub fn running_on(&self, node: &str) -> usize {
        let runs = |pod: &&Value| node_of(pod) == node && super::object::is_ready(pod) && !is_being_deleted(pod) && !is_finished(pod);
        self.all(Resource::Pods).filter(runs).count()
    }
}

/// Whether its kubelet says that it is ready; a Node without conditions counts as ready, because a test put it there.
pub(super) fn node_is_ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    ready.is_none_or(|condition| condition["status"] == "True")
}

fn unknown() -> Value {
    json!({ "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status." })
}
