//! What these tests share: a group of servers and one of workers, of one cluster.

use std::ops::Deref;
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::InstanceId;
use quorate_core::role::Role;
use quorate_lab::lab::kubernetes::ClusterGroups;
use quorate_lab::lab::writer::Written;
use quorate_lab::lab::{Lab, LabOptions, binaries, processes};

/// Longer than anything takes; only a failure comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// No hook may time out in these tests: the agents' heartbeats keep it open.
const HOOK: Duration = Duration::from_secs(20);
pub(crate) const CLUSTER: &str = "prod";

/// A control plane with its workers.
pub(crate) struct Plane {
    pub(crate) lab: Lab,
    groups: ClusterGroups,
}

impl Deref for Plane {
    type Target = ClusterGroups;

    fn deref(&self) -> &ClusterGroups {
        &self.groups
    }
}

impl Plane {
    /// This number of servers and workers, all Ready and in service.
    pub(crate) async fn of(servers: u32, workers: u32) -> anyhow::Result<Self> {
        Self::with(LabOptions::quick()?, servers, workers).await
    }

    /// The same, in a lab with these options.
    pub(crate) async fn with(options: LabOptions, servers: u32, workers: u32) -> anyhow::Result<Self> {
        let plane = Self::launched_with(options, servers, workers).await?;
        plane.settled(servers as usize, workers as usize, None).await?;
        Ok(plane)
    }

    /// The same, just launched.
    pub(crate) async fn launched_with(options: LabOptions, servers: u32, workers: u32) -> anyhow::Result<Self> {
        let lab = Lab::start(options).await?;
        let group = |role, name, size| {
            let mut spec = lab.group_of(role, name, CLUSTER, size, HOOK);
            spec.max = 7;
            lab.create_group(spec)
        };
        let (servers, workers) = (group(Role::ControlPlane, "servers", servers)?, group(Role::Worker, "workers", workers)?);
        Ok(Self { lab, groups: ClusterGroups { cluster: CLUSTER.to_owned(), servers, workers } })
    }

    /// What has to hold at the end of every test: all in service, Ready and voting, one generation, and no other Nodes.
    pub(crate) async fn settled(&self, servers: usize, workers: usize, written: Option<&Written>) -> anyhow::Result<()> {
        self.settled_as(1, servers, workers, written).await
    }

    /// The same, as this generation.
    pub(crate) async fn settled_as(
        &self,
        generation: u64,
        servers: usize,
        workers: usize,
        written: Option<&Written>,
    ) -> anyhow::Result<()> {
        self.lab.until_plane(&self.groups, servers, workers, LIMIT).await?;
        self.lab.settled(&self.servers, servers, LIMIT, written).await?;
        let found = self.generation()?;
        ensure!(found == generation, "it is generation {found}, and not {generation}");
        Ok(())
    }

    /// The highest generation in the charter.
    fn generation(&self) -> anyhow::Result<u64> {
        let records = self.lab.charter(CLUSTER)?;
        records.iter().filter_map(|record| record["generation"].as_u64()).max().context("there is no charter")
    }

    /// Terminates an instance, which its group replaces.
    pub(crate) fn replace(&self, instance: &InstanceId) -> anyhow::Result<()> {
        Ok(self.lab.operator(|api| api.terminate_in_group(instance, false))?)
    }

    /// The k3s that runs on this instance.
    pub(crate) fn k3s(&self, instance: &InstanceId) -> Option<i32> {
        let k3s = binaries::k3s().ok()?;
        processes::under(&self.lab.disk(instance)).into_iter().find(|process| process.is(&k3s)).map(|process| process.pid)
    }
}
