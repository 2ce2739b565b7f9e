//! The stand-ins for the controllers of StatefulSets, ReplicaSets and DaemonSets.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::object::{controller, is_being_deleted, is_finished, name, node_of, uid};
use super::resource::{Key, Resource};

impl Cluster {
    pub(super) fn reconcile(&mut self) {
        let workloads: Vec<(Key, Value)> = self.store.iter().filter(|(_, object)| !is_being_deleted(object)).map(cloned).collect();
        for (key, workload) in workloads {
            match key.resource {
                Resource::StatefulSets => self.reconcile_stateful_set(&key, &workload),
                Resource::ReplicaSets => self.reconcile_replica_set(&key, &workload),
                Resource::DaemonSets => self.reconcile_daemon_set(&key, &workload),
                Resource::Nodes | Resource::Pods | Resource::PodDisruptionBudgets => {}
            }
        }
        self.collect_orphans();
        self.schedule();
    }

    /// A name is used again only once its pod has gone.
    fn reconcile_stateful_set(&mut self, key: &Key, set: &Value) {
        for ordinal in 0..replicas(set) {
            let pod = format!("{}-{ordinal}", key.name);
            if self.store.get(&Key::new(Resource::Pods, &key.namespace, &pod)).is_none() {
                self.create_pod(key, set, &pod, None);
            }
        }
    }

    /// A pod that is to end is replaced at once.
    fn reconcile_replica_set(&mut self, key: &Key, set: &Value) {
        let there = self.pods_of(set).filter(|pod| !is_being_deleted(pod) && !is_finished(pod)).count() as u64;
        for _ in there..replicas(set) {
            let pod = format!("{}-{}", key.name, self.new_suffix());
            self.create_pod(key, set, &pod, None);
        }
    }

    /// One pod on each node, unschedulable or not.
    fn reconcile_daemon_set(&mut self, key: &Key, set: &Value) {
        let has = |node: &str| self.pods_of(set).any(|pod| node_of(pod) == node && !is_being_deleted(pod) && !is_finished(pod));
        let bare: Vec<String> = self.all(Resource::Nodes).map(name).filter(|node| !has(node)).map(str::to_owned).collect();
        for node in bare {
            let pod = format!("{}-{}", key.name, self.new_suffix());
            self.create_pod(key, set, &pod, Some(&node));
        }
    }

    fn pods_of(&self, workload: &Value) -> impl Iterator<Item = &Value> {
        let id = uid(workload).to_owned();
        self.all(Resource::Pods).filter(move |pod| controller(pod).is_some_and(|owner| owner["uid"] == *id))
    }

    fn create_pod(&mut self, of: &Key, workload: &Value, name: &str, node: Option<&str>) {
        let mut pod = workload["spec"]["template"].clone();
        pod["kind"] = "Pod".into();
        pod["metadata"]["name"] = name.into();
        pod["metadata"]["namespace"] = of.namespace.clone().into();
        pod["metadata"]["ownerReferences"] = json!([{
            "apiVersion": of.resource.api_version(), "kind": of.resource.kind(), "name": of.name, "uid": uid(workload), "controller": true,
        }]);
        if let Some(node) = node {
            pod["spec"]["nodeName"] = node.into();
        }
        // A name that is taken is tried again at the next look.
        let _ = self.insert(pod);
    }
}

fn replicas(set: &Value) -> u64 {
    set.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or_default()
}

fn cloned((key, object): (&Key, &Value)) -> (Key, Value) {
    (key.clone(), object.clone())
}
