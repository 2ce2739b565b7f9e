//! The cluster: its objects, its time, and what is due in it.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::time::Timestamp;
use serde_json::{Value, json};

use super::object::{name, text, when};
use super::resource::{Key, Resource};
use super::status::Status;
use super::store::Store;

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// Until a controller and the scheduler have noticed a change.
    pub replace: Duration,
    /// From being bound to a node to being ready.
    pub start: Duration,
    /// Until a kubelet has noticed a deletion.
    pub kubelet: Duration,
}

/// Something due.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// The controllers and the scheduler look.
    Reconcile,
    /// A pod has started.
    Started(Key, String),
    /// A pod's containers have ended.
    Stopped(Key, String),
    /// A kubelet has not reported for the grace since then.
    Silent(String, Timestamp),
}

/// A cluster behind its API.
#[derive(Debug)]
pub struct Cluster {
    pub(super) delays: Delays,
    pub(super) now: Timestamp,
    pub(super) store: Store,
    /// Violated UID preconditions are found by the store only, as in the race that the earlier check cannot exclude. The message then differs.
    pub late_preconditions: bool,
    /// How long a kubelet that has reported may be silent before its Node is not ready; the real default is 50 s.
    pub node_grace: Duration,
    pub(super) heartbeats: BTreeMap<String, Timestamp>,
    due: BTreeMap<(Timestamp, u64), Due>,
    reconcile_at: Option<Timestamp>,
    counter: u64,
}

impl Cluster {
    /// An empty cluster.
    #[must_use]
    pub fn new(delays: Delays) -> Self {
        Self {
            delays,
            now: Timestamp::default(),
            store: Store::default(),
            late_preconditions: false,
            node_grace: Duration::from_secs(50),
            heartbeats: BTreeMap::new(),
            due: BTreeMap::new(),
            reconcile_at: None,
            counter: 0,
        }
    }

    /// Fires everything that is due until then.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            self.now = self.now.max(entry.key().0);
            match entry.remove() {
                Due::Reconcile => {
                    self.reconcile_at = None;
                    self.reconcile();
                }
                Due::Started(pod, uid) => self.pod_started(&pod, &uid),
                Due::Stopped(pod, uid) => self.pod_stopped(&pod, &uid),
                Due::Silent(node, since) => self.node_silent(&node, since),
            }
        }
        self.now = self.now.max(now);
    }

    /// Puts an object into the cluster.
    ///
    /// # Errors
    /// `BadRequest` for a kind that the cluster does not know; `AlreadyExists`.
    pub fn create(&mut self, object: impl Into<Value>, now: Timestamp) -> Result<Value, Status> {
        self.advance(now);
        self.insert(object.into())
    }

    pub(super) fn insert(&mut self, mut object: Value) -> Result<Value, Status> {
        let kind = text(&object, "/kind").to_owned();
        let Some(resource) = Resource::of_kind(&kind) else {
            return Err(Status::bad_request(format!("no kind {kind:?} is registered")));
        };
        let namespace = if resource.is_namespaced() { text(&object, "/metadata/namespace").to_owned() } else { String::new() };
        let key = Key { resource, namespace, name: name(&object).to_owned() };
        if self.store.get(&key).is_some() {
            return Err(Status::already_exists(&key));
        }
        object["apiVersion"] = resource.api_version().into();
        object["metadata"]["uid"] = self.new_uid().into();
        object["metadata"]["creationTimestamp"] = when(self.now).into();
        if resource == Resource::Pods {
            default_pod(&mut object);
        }
        let object = self.store.put(&key, object);
        if resource == Resource::Pods {
            self.pod_created(&key, &object);
        }
        self.reconcile_soon();
        Ok(object)
    }

    /// The object, as it is now.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.store.get(key)
    }

    /// All objects of a kind.
    pub fn all(&self, resource: Resource) -> impl Iterator<Item = &Value> {
        self.store.iter().filter(move |(key, _)| key.resource == resource).map(|(_, object)| object)
    }

    /// The names of the pods on a node, in order.
    #[must_use]
    pub fn pods_on(&self, node: &str) -> Vec<&str> {
        self.all(Resource::Pods).filter(|pod| super::object::node_of(pod) == node).map(name).collect()
    }

    /// etcd was restored: everything is as it was at that version of the objects, and each kubelet has a grace to report again.
    pub fn go_back(&mut self, version: u64, now: Timestamp) {
        self.advance(now);
        self.store.go_back(version);
        for (node, last) in self.heartbeats.clone() {
            self.after(self.node_grace, Due::Silent(node, last));
        }
        // Their kubelets run what had only been bound then.
        let pods: Vec<Value> = self.all(Resource::Pods).cloned().collect();
        for pod in pods {
            self.pod_created(&Key::new(Resource::Pods, text(&pod, "/metadata/namespace"), super::object::name(&pod)), &pod);
        }
        self.reconcile_soon();
    }

    pub(super) fn after(&mut self, delay: Duration, due: Due) {
        self.counter += 1;
        self.due.insert((self.now + delay, self.counter), due);
    }

    pub(super) fn reconcile_soon(&mut self) {
        let at = self.now + self.delays.replace;
        if self.reconcile_at.is_none() {
            self.reconcile_at = Some(at);
            self.after(self.delays.replace, Due::Reconcile);
        }
    }

    /// Uids and the suffixes of names come from a counter: two clusters with one history are equal.
    pub(super) fn new_uid(&mut self) -> String {
        self.counter += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.counter)
    }

    pub(super) fn new_suffix(&mut self) -> String {
        self.counter += 1;
        format!("{:05x}", self.counter)
    }
}

/// What the real server fills in.
fn default_pod(pod: &mut Value) {
    let spec = &mut pod["spec"];
    if spec.get("terminationGracePeriodSeconds").is_none() {
        spec["terminationGracePeriodSeconds"] = 30.into();
    }
    if pod.get("status").is_none() {
        pod["status"] = json!({ "phase": "Pending" });
    }
}
