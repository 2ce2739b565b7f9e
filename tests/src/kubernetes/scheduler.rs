//! The stand-in for the scheduler: a pod goes to the schedulable node with the fewest pods.

use serde_json::Value;

use super::cluster::Cluster;
use super::health::node_is_ready;
use super::object::{is_being_deleted, name, node_of};
use super::resource::{Key, Resource};

impl Cluster {
    pub(super) fn schedule(&mut self) {
        let unbound = |(key, pod): &(&Key, &Value)| key.resource == Resource::Pods && node_of(pod).is_empty() && !is_being_deleted(pod);
        let unbound: Vec<Key> = self.store.iter().filter(unbound).map(|(key, _)| key.clone()).collect();
        for key in unbound {
            let Some(node) = self.best_node() else { return };
            self.bind(&key, &node);
        }
    }

    fn best_node(&self) -> Option<String> {
        let pods = |node: &str| self.all(Resource::Pods).filter(|pod| node_of(pod) == node).count();
        let nodes = self.all(Resource::Nodes).filter(|node| is_schedulable(node)).map(name);
        nodes.min_by_key(|node| pods(node)).map(str::to_owned)
    }

    fn bind(&mut self, key: &Key, node: &str) {
        let Some(pod) = self.store.get(key) else { return };
        let mut pod = pod.clone();
        pod["spec"]["nodeName"] = node.into();
        let pod = self.store.put(key, pod);
        self.pod_created(key, &pod);
    }
}

/// Tolerations are unknown here: any taint that keeps pods away keeps all away.
fn is_schedulable(node: &Value) -> bool {
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    let tainted = taints.into_iter().flatten().any(|taint| taint["effect"] != "PreferNoSchedule");
    node.pointer("/spec/unschedulable") != Some(&Value::Bool(true)) && !tainted && !is_being_deleted(node) && node_is_ready(node)
}
