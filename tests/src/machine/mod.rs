//! Machines that are booted: Debian under systemd in `systemd-nspawn`, with Quorate installed from its package, on a bridge that stands for
//! the VPC. The lab's region answers there as AWS does, its metadata service at 169.254.169.254.
//!
//! `scripts/machine-world` makes the namespaces and the cgroup that all of it lives in, so nothing of it outlives the program that runs in
//! there, however that ends. Outside of them [`World::enter`] says why it cannot. Each world has the network to itself: one at a time.

pub mod journal;
pub mod k3s;
pub mod network;

mod command;
mod files;
mod image;
mod instance;
mod machines;
mod spawn;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::role::Role;
use tokio::task::JoinHandle;

pub use image::{Packages, System};
pub use instance::Machine;

use crate::lab::clusters::Clusters;
use crate::lab::site::{self, Site};
use crate::lab::{AgentSettings, binaries, events};
use crate::region::{Delays, GroupSpec, Region, RegionConfig};
use crate::wire::{ImdsServer, RegionServer};
use image::Image;
use machines::Machines;
use network::Network;

/// Set in a world: its cgroup.
const WORLD: &str = "QUORATE_WORLD";
/// Where the journals of a scene that failed are kept.
const LOGS: &str = "QUORATE_MACHINE_LOGS";
/// What the machines share: the object store is a directory of it.
const SHARED: &str = "/run/shared";

/// A region with booted machines.
#[derive(Debug)]
pub struct World {
    site: Site,
    machines: Arc<Machines>,
    events: JoinHandle<()>,
    packages: Packages,
    passed: AtomicBool,
    _metadata: ImdsServer,
    network: Network,
}

impl Deref for World {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.events.abort();
        if !self.passed.load(Ordering::Relaxed)
            && let Some(logs) = std::env::var_os(LOGS)
        {
            self.machines.keep_logs(&PathBuf::from(logs));
        }
        self.machines.end();
        let _ = std::fs::remove_dir_all(SHARED);
    }
}

impl World {
    /// An empty region, with quick agents on the machines to come, which have this system; `None` if this program does not run in a world.
    ///
    /// # Errors
    /// The network, the image or the region cannot be made.
    pub async fn enter(scene: &str, system: System, settings: AgentSettings) -> anyhow::Result<Option<Self>> {
        let Some(cgroup) = std::env::var_os(WORLD) else { return Ok(None) };
        let packages = Packages::from_environment()?;
        let network = Network::create().context("cannot make the bridge")?;
        let image = Image::prepare(system, &packages).context("cannot install the package")?;
        std::fs::create_dir_all(SHARED)?;
        std::fs::copy(binaries::k3s()?, Path::new(SHARED).join("k3s")).context("cannot copy the stand-in for k3s")?;
        // The machine says itself when it is off; only one that hangs reaches the end of this time.
        let delays = Delays { shutdown: Duration::from_secs(120), ..Delays::lab() };
        let shortest_heartbeat_timeout = Duration::from_secs(1);
        let region = RegionConfig { delays, shortest_heartbeat_timeout, addresses: network::addresses(), ..RegionConfig::default() };
        let mut server = RegionServer::start(Region::new(region), network::API.into()).await.context("cannot serve the region")?;
        let metadata = server.serve_imds_for_all(network::METADATA).await.context("cannot serve the metadata")?;
        let events = server.take_events();
        let clusters = Arc::new(Clusters::at((*network::API.ip()).into()));
        let machines = Arc::new(Machines::new(server, clusters.clone(), image, scene, PathBuf::from(cgroup), settings));
        let site = Site::new(machines.server.region().clone(), machines.clone(), clusters);
        let events = tokio::spawn(events::follow(machines.clone(), events));
        Ok(Some(Self { site, machines, events, packages, passed: AtomicBool::new(false), _metadata: metadata, network }))
    }

    /// A group of this size whose instances form the cluster `cluster`, with the two hooks that Quorate asks for.
    #[must_use]
    pub fn group(&self, name: &str, cluster: &str, size: u32, hook_timeout: Duration) -> GroupSpec {
        site::group(name, cluster, &format!("file://{}/store", files::SHARED), size, hook_timeout)
    }

    /// The same for another role: Kubernetes servers or workers.
    #[must_use]
    pub fn group_of(&self, role: Role, name: &str, cluster: &str, size: u32, hook_timeout: Duration) -> GroupSpec {
        self.group(name, cluster, size, hook_timeout).tag("quorate:role", role.as_str())
    }

    /// Makes the group; its instances launch at once.
    ///
    /// # Errors
    /// What AWS would say.
    pub fn create_group(&self, spec: GroupSpec) -> anyhow::Result<GroupName> {
        let name = spec.name.clone();
        std::fs::create_dir_all(Path::new(SHARED).join("store"))?;
        self.region().with(|region, now| region.create_group(spec, now))?;
        Ok(name)
    }

    /// The records of a cluster's charter, oldest first.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn charter(&self, cluster: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        site::charter(&Path::new(SHARED).join("store").join(cluster))
    }

    /// The machine of an instance.
    ///
    /// # Errors
    /// It was never started.
    pub fn machine(&self, instance: &InstanceId) -> anyhow::Result<Arc<Machine>> {
        self.machines.machine(instance).with_context(|| format!("the machine of {instance} was never started"))
    }

    /// Cuts the machine off from its peers, as a security group would: it reaches its metadata and AWS, and the test reaches it.
    ///
    /// # Errors
    /// The firewall refuses.
    pub fn cut_off(&self, instance: &InstanceId) -> anyhow::Result<()> {
        self.network.cut(self.machine(instance)?.name())
    }

    /// Ends what [`World::cut_off`] began.
    ///
    /// # Errors
    /// The firewall refuses.
    pub fn heal(&self, instance: &InstanceId) -> anyhow::Result<()> {
        self.network.heal(self.machine(instance)?.name())
    }

    /// The hardware is gone at once.
    ///
    /// # Errors
    /// It was never started.
    pub fn hard_kill(&self, instance: &InstanceId) -> anyhow::Result<()> {
        self.machine(instance)?.cut_power();
        self.region().with(|region, now| region.hard_kill(instance, now));
        Ok(())
    }

    /// A test ends this machine's agent: others may complete its actions.
    pub fn leave_unattended(&self, instance: &InstanceId) {
        self.machines.leave_unattended(instance);
    }

    /// The packages of the agent.
    #[must_use]
    pub fn packages(&self) -> &Packages {
        &self.packages
    }

    /// Nothing is to be kept for a post-mortem.
    pub fn passed(&self) {
        self.passed.store(true, Ordering::Relaxed);
    }
}
