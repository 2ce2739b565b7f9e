//! A cluster in virtual time, and requests to it.

use std::time::Duration;

use quorate_core::time::Timestamp;
use quorate_lab::kubernetes::{Answer, Cluster, Delays, Key, Request, Status, User, Watch, node};
use serde_json::{Value, json};

pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) now: Timestamp,
    pub(crate) user: User,
}

impl World {
    /// Nodes of these names, asked by an administrator.
    pub(crate) fn new(nodes: &[&str]) -> Self {
        let mut world = Self { cluster: Cluster::new(Delays::default()), now: Timestamp(1_800_000_000_000), user: User::Admin };
        nodes.iter().for_each(|name| drop(world.put(node(name))));
        world
    }

    pub(crate) fn put(&mut self, object: impl Into<Value>) -> Value {
        self.cluster.create(object, self.now).unwrap()
    }

    pub(crate) fn pass(&mut self, seconds: f64) {
        self.now = self.now + Duration::from_secs_f64(seconds);
        self.cluster.advance(self.now);
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, content_type: &str, body: &Value) -> Result<Value, Status> {
        match self.answer(method, path, content_type, body)? {
            Answer::Object(_, object) => Ok(object),
            Answer::Watch(_) => panic!("a watch was not asked for"),
        }
    }

    pub(crate) fn answer(&mut self, method: &str, path: &str, content_type: &str, body: &Value) -> Result<Answer, Status> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.replace("%3D", "=")))
            .collect();
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request { user: &self.user, method, path, query: &query, content_type, body: &body };
        self.cluster.answer(&request, self.now)
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Value, Status> {
        self.ask("GET", path, "", &Value::Null)
    }

    pub(crate) fn watch(&mut self, path: &str) -> Watch {
        match self.answer("GET", path, "", &Value::Null).unwrap() {
            Answer::Watch(watch) => watch,
            Answer::Object(..) => panic!("no watch"),
        }
    }

    pub(crate) fn patch_node(&mut self, node: &str, content_type: &str, patch: &Value) -> Result<Value, Status> {
        self.ask("PATCH", &format!("/api/v1/nodes/{node}"), content_type, patch)
    }

    pub(crate) fn delete(&mut self, pod: &str, options: &Value) -> Result<Value, Status> {
        self.ask("DELETE", &format!("{PODS}/{pod}"), "application/json", options)
    }

    pub(crate) fn evict(&mut self, pod: &str, options: &Value) -> Result<Value, Status> {
        let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod }, "deleteOptions": options });
        self.ask("POST", &format!("{PODS}/{pod}/eviction"), "application/json", &eviction)
    }

    pub(crate) fn pod(&self, name: &str) -> Option<&Value> {
        self.cluster.get(&Key::pod(name))
    }

    pub(crate) fn uid(&self, pod: &str) -> String {
        self.pod(pod).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>) -> (u16, String) {
    let status = result.unwrap_err();
    (status.code, status.message)
}
