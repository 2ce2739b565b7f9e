//! Groups of Kubernetes servers and workers: making them, looking at their Nodes, waiting for them.

use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use quorate_core::role::Role;
use serde_json::Value;

use super::Lab;
use super::site::Groups;
use super::writer::Writer;
use crate::kubernetes::{ClusterHandle, Key};
use crate::region::GroupSpec;
use crate::wire::Faults;

impl Lab {
    /// A group of this size and role whose instances belong to the cluster `cluster`, with the two hooks that Quorate asks for.
    #[must_use]
    pub fn group_of(&self, role: Role, name: &str, cluster: &str, size: u32, hook_timeout: Duration) -> GroupSpec {
        self.group(name, cluster, size, hook_timeout).tag("quorate:role", role.as_str())
    }

    /// The objects of the Kubernetes cluster with this name.
    #[must_use]
    pub fn kubernetes(&self, cluster: &str) -> ClusterHandle {
        self.machines.clusters.handle(cluster)
    }

    /// What goes wrong in its API server, whichever server of the group is asked.
    ///
    /// # Errors
    /// It cannot be served.
    pub async fn kubernetes_faults(&self, cluster: &str) -> anyhow::Result<Faults> {
        Ok(self.machines.clusters.serve(cluster).await?.1)
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
