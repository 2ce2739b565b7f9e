//! The stand-in for the kubelets: pods start, and end when they are deleted.

use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{Cluster, Due};
use super::object::{STOPS_AFTER, annotation, has_finalizers, is_being_deleted, node_of, text, uid};
use super::resource::Key;

impl Cluster {
    pub(super) fn pod_created(&mut self, key: &Key, pod: &Value) {
        if !node_of(pod).is_empty() && text(pod, "/status/phase") == "Pending" {
            self.after(self.delays.start, Due::Started(key.clone(), uid(pod).to_owned()));
        }
    }

    pub(super) fn pod_started(&mut self, key: &Key, of: &str) {
        let Some(pod) = self.store.get(key).filter(|pod| uid(pod) == of && !is_being_deleted(pod)) else { return };
        let mut pod = pod.clone();
        if self.is_silent(node_of(&pod)) {
            return self.after(self.node_grace, Due::Started(key.clone(), of.to_owned()));
        }
        pod["status"] = running(true);
        self.store.put(key, pod);
    }

    /// A deletion was asked for: the containers end after their time or after the grace, whichever is sooner.
    pub(super) fn pod_stopping(&mut self, key: &Key, pod: &Value) {
        let grace = pod.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64).map_or(Duration::ZERO, Duration::from_secs);
        let own = annotation(pod, STOPS_AFTER).and_then(|millis| millis.parse().ok()).map_or(grace, Duration::from_millis);
        self.after(self.delays.kubelet + own.min(grace), Due::Stopped(key.clone(), uid(pod).to_owned()));
    }

    /// The kubelet's last report, and its own deletion without grace. Finalizers keep the object.
    pub(super) fn pod_stopped(&mut self, key: &Key, of: &str) {
        let Some(pod) = self.store.get(key).filter(|pod| uid(pod) == of && is_being_deleted(pod)) else { return };
        if self.is_silent(node_of(pod)) {
            return self.after(self.node_grace, Due::Stopped(key.clone(), of.to_owned()));
        }
        if has_finalizers(pod) {
            let mut pod = pod.clone();
            pod["metadata"]["deletionGracePeriodSeconds"] = 0.into();
            pod["status"] = json!({ "phase": "Succeeded" });
            self.store.put(key, pod);
        } else {
            self.store.remove(key);
        }
        self.reconcile_soon();
    }
}

pub(super) fn running(ready: bool) -> Value {
    let ready = if ready { "True" } else { "False" };
    json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": ready }] })
}
