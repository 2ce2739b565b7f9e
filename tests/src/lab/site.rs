//! The place where a group lives: the region, and the host of the machines. What is seen and awaited there is the same for every kind of machine.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::time::Timestamp;

use super::clusters::Clusters;
use super::etcd::Credentials;
use crate::region::{ActionResult, Api, Caller, GroupSpec, HookSpec, Instance, Transition};
use crate::wire::RegionHandle;

/// The host of the machines.
pub trait Host: fmt::Debug + Send + Sync {
    /// What the host itself failed to do.
    fn troubles(&self) -> Vec<String>;
    /// The last lines of every machine's log.
    fn logs(&self) -> String;
    /// What a client has to show to the etcd of this instance, if it speaks TLS.
    fn credentials(&self, _: &InstanceId) -> Option<Credentials> {
        None
    }
    /// Whether a test ended this machine's agent and did not start it again.
    fn is_unattended(&self, instance: &InstanceId) -> bool;
}

/// The groups whose instances make up one cluster: one group, or several, one in each zone.
pub trait Groups {
    /// Their names.
    fn names(&self) -> &[GroupName];
}

impl Groups for GroupName {
    fn names(&self) -> &[GroupName] {
        slice::from_ref(self)
    }
}

impl Groups for [GroupName] {
    fn names(&self) -> &[GroupName] {
        self
    }
}

/// The region, the host of the machines, and the Kubernetes clusters of their k3s.
#[derive(Clone, Debug)]
pub struct Site {
    region: RegionHandle,
    pub(super) host: Arc<dyn Host>,
    pub(super) clusters: Arc<Clusters>,
}

impl Site {
    /// What a client has to show to the etcd of this instance, if it speaks TLS.
    #[must_use]
    pub fn credentials(&self, instance: &InstanceId) -> Option<Credentials> {
        self.host.credentials(instance)
    }

    /// A site.
    #[must_use]
    pub fn new(region: RegionHandle, host: Arc<dyn Host>, clusters: Arc<Clusters>) -> Self {
        Self { region, host, clusters }
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &RegionHandle {
        &self.region
    }

    /// The time in the region.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.region.now()
    }

    /// Does something as the operator.
    pub fn operator<T>(&self, act: impl FnOnce(&mut Api<'_>) -> T) -> T {
        self.region.with(|region, now| act(&mut region.api(&Caller::Operator, now)))
    }

    /// The last lines of every machine's log.
    #[must_use]
    pub fn logs(&self) -> String {
        self.host.logs()
    }

    /// The instances on the groups' lists whose machine runs, in launch order within each.
    #[must_use]
    pub fn live(&self, groups: &(impl Groups + ?Sized)) -> Vec<InstanceId> {
        let on = |instance: &&Instance| instance.powered;
        let region = self.region.lock();
        let members = groups.names().iter().flat_map(|group| region.members(group));
        members.filter(on).map(|instance| instance.id.clone()).collect()
    }

    /// Every instance whose machine runs, in whichever state its group has it.
    #[must_use]
    pub fn powered(&self) -> Vec<(InstanceId, IpAddr)> {
        let region = self.region.lock();
        region.instances().iter().filter(|instance| instance.powered).map(|instance| (instance.id.clone(), instance.address)).collect()
    }

    /// The address of an instance.
    ///
    /// # Errors
    /// There was never such an instance.
    pub fn address(&self, instance: &InstanceId) -> anyhow::Result<IpAddr> {
        let region = self.region.lock();
        region.instance(instance).map(|instance| instance.address).with_context(|| format!("there is no instance {instance}"))
    }
}

/// A group of this size whose instances form the cluster `cluster`, with its charter at `store` and the two hooks that Quorate asks for.
#[must_use]
pub fn group(name: &str, cluster: &str, store: &str, size: u32, hook_timeout: Duration) -> GroupSpec {
    let hook = |name, transition, result| HookSpec::new(name, transition).timeout(hook_timeout).default_result(result);
    GroupSpec::new(name, size)
        .tag("quorate:cluster", cluster)
        .tag("quorate:role", "etcd")
        .tag("quorate:store", store)
        .hook(hook("quorate-launch", Transition::Launching, ActionResult::Abandon))
        .hook(hook("quorate-terminate", Transition::Terminating, ActionResult::Continue))
}

/// The records of a charter, oldest first, where the store is a directory.
///
/// # Errors
/// One cannot be read.
pub fn charter(cluster: &Path) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut paths: Vec<_> = std::fs::read_dir(cluster.join("charter"))?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    paths.iter().map(|path| Ok(serde_json::from_slice(&std::fs::read(path)?)?)).collect()
}
