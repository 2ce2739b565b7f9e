//! Groups of Kubernetes servers and workers: making them, looking at their Nodes, waiting for them.

use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::{GroupName, InstanceId};
use serde_json::Value;

use super::site::{Groups, Site};
use super::writer::Writer;
use crate::kubernetes::{ClusterHandle, Key, Resource};

/// The groups of one Kubernetes cluster.
#[derive(Clone, Debug)]
pub struct ClusterGroups {
    /// Its name.
    pub cluster: String,
    /// Its servers.
    pub servers: GroupName,
    /// Its workers.
    pub workers: GroupName,
}

impl Site {
    /// The objects of the Kubernetes cluster with this name.
    #[must_use]
    pub fn kubernetes(&self, cluster: &str) -> ClusterHandle {
        self.clusters.handle(cluster)
    }

    /// A write load on the etcd of these servers, beside what Kubernetes itself keeps there.
    ///
    /// # Errors
    /// None of them has started its k3s.
    pub fn write_to_servers(&self, servers: &(impl Groups + ?Sized), prefix: &str) -> anyhow::Result<Writer> {
        let live = self.live(servers);
        let credentials =
            live.iter().find_map(|instance| self.host.credentials(instance)).context("no server has credentials for its etcd")?;
        let addresses = live.iter().map(|instance| self.address(instance)).collect::<anyhow::Result<_>>()?;
        Ok(Writer::start_as(addresses, prefix, Some(credentials)))
    }

    /// Waits until the servers are `size` instances that are all voters of one etcd and whose Nodes are Ready and say so.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn until_servers(&self, groups: &(impl Groups + ?Sized), cluster: &str, size: usize, within: Duration) -> anyhow::Result<()> {
        self.until_whole(groups, size, within).await?;
        let what = format!("{size} Nodes of servers that are Ready and vote");
        self.until(within, &what, || async { self.nodes_are(groups, cluster, size, &["Ready", "EtcdIsVoter"]) }).await
    }

    /// Waits until the workers are `size` instances whose Nodes are Ready.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn until_workers(&self, groups: &(impl Groups + ?Sized), cluster: &str, size: usize, within: Duration) -> anyhow::Result<()> {
        self.until(within, &format!("{size} Ready Nodes of workers"), || async { self.nodes_are(groups, cluster, size, &["Ready"]) }).await
    }

    /// Waits until there are this number of servers and workers, all in service, Ready and voting, and no other instance has a Node.
    ///
    /// # Errors
    /// It is not so in time.
    pub async fn until_plane(&self, groups: &ClusterGroups, servers: usize, workers: usize, within: Duration) -> anyhow::Result<()> {
        self.until_in_service(&groups.servers, servers, within).await?;
        self.until_in_service(&groups.workers, workers, within).await?;
        self.until_servers(&groups.servers, &groups.cluster, servers, within).await?;
        self.until_workers(&groups.workers, &groups.cluster, workers, within).await?;
        let tidy = || async {
            let strange = self.strange_nodes(groups);
            if strange.is_empty() { Ok(()) } else { Err(format!("there are Nodes of nobody: {strange:?}")) }
        };
        self.until(within, "the Nodes of the old instances to go", tidy).await
    }

    /// Nodes of no instance that runs.
    #[must_use]
    pub fn strange_nodes(&self, groups: &ClusterGroups) -> Vec<String> {
        let live: Vec<InstanceId> = [&groups.servers, &groups.workers].iter().flat_map(|group| self.live(*group)).collect();
        let nodes = self.kubernetes(&groups.cluster).with(|cluster, _| cluster.all(Resource::Nodes).cloned().collect::<Vec<_>>());
        let names = nodes.iter().filter_map(|node| node["metadata"]["name"].as_str());
        names.filter(|name| !live.iter().any(|id| id.as_str() == *name)).map(str::to_owned).collect()
    }

    /// The Node of an instance.
    #[must_use]
    pub fn node(&self, cluster: &str, instance: &InstanceId) -> Option<Value> {
        self.kubernetes(cluster).with(|cluster, _| cluster.get(&Key::node(instance.as_str())).cloned())
    }

    fn nodes_are(&self, groups: &(impl Groups + ?Sized), cluster: &str, size: usize, conditions: &[&str]) -> Result<(), String> {
        let live = self.live(groups);
        if live.len() != size {
            return Err(format!("{} instances run: {live:?}", live.len()));
        }
        for instance in &live {
            let node = self.node(cluster, instance).ok_or_else(|| format!("{instance} has no Node"))?;
            let lacks = conditions.iter().find(|kind| condition(&node, kind) != Some("True"));
            if let Some(kind) = lacks {
                return Err(format!("{kind} of {instance} is {:?}", condition(&node, kind)));
            }
        }
        Ok(())
    }
}

/// The status of a Node's condition.
#[must_use]
pub fn condition<'a>(node: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = node.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)?["status"].as_str()
}
