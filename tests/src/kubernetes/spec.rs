//! Objects to put into a cluster.

use std::time::Duration;

use serde_json::{Value, json};

use super::kubelet::running;
use super::object::STOPS_AFTER;
use super::resource::Resource;

/// A Node.
#[must_use]
pub fn node(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name }, "spec": {} })
}

/// A disruption budget for the pods with the label `app` in the namespace `default`; `rule` such as `{"minAvailable": 1}`.
#[must_use]
pub fn budget(name: &str, app: &str, rule: &Value) -> Value {
    let metadata = json!({ "name": name, "namespace": "default" });
    let mut budget = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": rule });
    budget["spec"]["selector"] = json!({ "matchLabels": { "app": app } });
    budget
}

/// A StatefulSet, ReplicaSet or DaemonSet in the namespace `default`, whose pods are made like this one.
#[must_use]
pub fn workload(resource: Resource, name: &str, replicas: u32, pod: &PodSpec) -> Value {
    let template = json!({ "metadata": { "labels": pod.0["metadata"]["labels"], "annotations": pod.0["metadata"]["annotations"] }, "spec": pod.0["spec"] });
    let mut spec = json!({ "template": template, "selector": { "matchLabels": pod.0["metadata"]["labels"] } });
    if resource != Resource::DaemonSets {
        spec["replicas"] = replicas.into();
    }
    if resource == Resource::StatefulSets {
        spec["serviceName"] = name.into();
    }
    let metadata = json!({ "name": name, "namespace": "default" });
    json!({ "apiVersion": resource.api_version(), "kind": resource.kind(), "metadata": metadata, "spec": spec })
}

/// A pod of the namespace `default`, label `app` as its name says up to the first dash. Bound to a node it runs and is ready.
#[derive(Clone, Debug)]
pub struct PodSpec(Value);

impl PodSpec {
    /// A pod that waits for the scheduler.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let app = name.split('-').next().unwrap_or(name);
        let metadata = json!({ "name": name, "namespace": "default", "labels": { "app": app }, "annotations": {} });
        // What the real thing runs; it ends as soon as it is asked to.
        let containers = json!([{ "name": "main", "image": "registry.k8s.io/pause:3.10" }]);
        let spec = json!({ "terminationGracePeriodSeconds": 30, "containers": containers });
        Self(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }))
    }

    /// It runs there.
    #[must_use]
    pub fn on(mut self, node: &str) -> Self {
        self.0["spec"]["nodeName"] = node.into();
        self.0["status"] = running(true);
        self
    }

    /// The seconds that it asks for to end; it takes them all unless [`PodSpec::stops_after`] says less.
    #[must_use]
    pub fn grace(mut self, seconds: u64) -> Self {
        self.0["spec"]["terminationGracePeriodSeconds"] = seconds.into();
        self
    }

    /// How long it needs to end.
    #[must_use]
    pub fn stops_after(self, time: Duration) -> Self {
        self.annotation(STOPS_AFTER, &time.as_millis().to_string())
    }

    /// Nothing of it runs any longer.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.0["status"] = json!({ "phase": "Succeeded" });
        self
    }

    /// Its controller.
    #[must_use]
    pub fn owned_by(mut self, resource: Resource, name: &str, uid: &str) -> Self {
        let owner = json!({ "apiVersion": resource.api_version(), "kind": resource.kind(), "name": name, "uid": uid, "controller": true });
        self.0["metadata"]["ownerReferences"] = json!([owner]);
        self
    }

    /// Priority class `system-node-critical`.
    #[must_use]
    pub fn critical(mut self) -> Self {
        self.0["spec"]["priorityClassName"] = "system-node-critical".into();
        self
    }

    /// It is a static pod's mirror.
    #[must_use]
    pub fn mirror(self) -> Self {
        self.annotation("kubernetes.io/config.mirror", "0123456789abcdef")
    }

    /// It holds an emptyDir.
    #[must_use]
    pub fn local_data(mut self) -> Self {
        self.0["spec"]["volumes"] = json!([{ "name": "cache", "emptyDir": {} }]);
        self
    }

    /// Its object stays after its end until this is taken away.
    #[must_use]
    pub fn finalizer(mut self, finalizer: &str) -> Self {
        self.0["metadata"]["finalizers"] = json!([finalizer]);
        self
    }

    fn annotation(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["annotations"][key] = value.into();
        self
    }
}

impl From<PodSpec> for Value {
    fn from(spec: PodSpec) -> Self {
        spec.0
    }
}
