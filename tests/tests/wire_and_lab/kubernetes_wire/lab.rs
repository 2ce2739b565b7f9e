//! A cluster with one API server on a loopback address, and the adapter pointed at it by a kubeconfig.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use quorate::adapters::kubernetes::ApiServers;
use quorate_core::drain::Ending;
use quorate_core::plan::Outcome;
use quorate_lab::kubernetes::{ApiServer, Cluster, ClusterHandle, Delays, Key, User, kubeconfig, node};
use quorate_lab::wire::{Fault, Rule, RuleId, Scope};
use serde_json::Value;

use crate::kubernetes_wire::drained::ending;

/// Long for a loopback, short for a test that has to wait for all of it.
pub(crate) const PATIENCE: Duration = Duration::from_millis(600);
pub(crate) const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Lab {
    pub(crate) cluster: ClusterHandle,
    pub(crate) server: ApiServer,
}

impl Lab {
    pub(crate) async fn start(nodes: &[&str]) -> Self {
        let ms = Duration::from_millis;
        let cluster = ClusterHandle::new(Cluster::new(Delays { replace: ms(30), start: ms(100), kubelet: ms(10) }));
        let server = ApiServer::start(&cluster, ANYWHERE).await.unwrap();
        let lab = Self { cluster, server };
        nodes.iter().for_each(|name| drop(lab.put(node(name))));
        lab
    }

    pub(crate) fn put(&self, object: impl Into<Value>) -> Value {
        self.cluster.with(|cluster, now| cluster.create(object, now)).unwrap()
    }

    pub(crate) async fn adapter(&self) -> ApiServers {
        self.adapter_as(&User::Admin, &[]).await
    }

    pub(crate) async fn adapter_as(&self, user: &User, others: &[String]) -> ApiServers {
        self.adapter_within(user, others, PATIENCE).await
    }

    pub(crate) async fn adapter_within(&self, user: &User, others: &[String], limit: Duration) -> ApiServers {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), kubeconfig(&self.server.url(), user)).unwrap();
        ApiServers::of_kubeconfig(file.path(), others, limit).await.unwrap()
    }

    pub(crate) fn fault(&self, method: &str, path: &str, fault: Fault) -> RuleId {
        self.server.faults().add(Rule::new(Scope::kubernetes(method, path), fault))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Value> {
        self.cluster.with(|cluster, _| cluster.get(key).cloned())
    }

    pub(crate) fn pod(&self, name: &str) -> Option<Value> {
        self.get(&Key::pod(name))
    }

    pub(crate) fn pods_on(&self, node: &str) -> Vec<String> {
        self.cluster.with(|cluster, _| cluster.pods_on(node).into_iter().map(str::to_owned).collect())
    }

    /// The end of this pod, by its uid.
    pub(crate) fn ending(&self, name: &str, grace: Option<u64>) -> Ending {
        let uid = self.pod(name).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        ending(name, &uid, grace)
    }
}

pub(crate) fn unclear(outcome: Outcome) -> String {
    match outcome {
        Outcome::Unclear(why) => why,
        other => panic!("it is clear: {other:?}"),
    }
}
