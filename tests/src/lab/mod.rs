//! A lab: a region on the wire, and for every instance of it a machine with the real agent and a real etcd.
//!
//! A machine is a directory (its disk), a loopback address of its own, a metadata service, and the processes on it. The region says
//! what happens to the machines; [`accidents`] are the further things that a test can do to them.
//!
//! However a lab ends (its scope, a panic, ctrl-C, `kill -9`), no process and no file of it is left: see [`root`](mod@root).

pub mod accidents;
pub mod bare;
pub mod binaries;
pub mod check;
pub mod clusters;
mod command;
pub mod distribution;
pub mod etcd;
pub mod image;
pub mod kubernetes;
pub mod observe;
pub mod options;
pub mod processes;
pub mod root;
pub mod settings;
pub mod settled;
pub mod site;
pub mod store;
pub mod subnet;
pub mod until;
pub mod url;
pub mod witness;
pub mod writer;

pub(crate) mod events;

mod machine;
mod machines;

use std::net::Ipv4Addr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::role::Role;
use quorate_core::time::Timestamp;
use tokio::task::JoinHandle;

pub use options::LabOptions;
pub use settings::{AgentSettings, LISTEN};
pub use store::Store;

use crate::region::{AddressRange, GroupSpec, Region, RegionConfig};
use crate::s3::S3Server;
use crate::wire::{Asked, Faults, ImdsServer, RegionServer};
use image::Image;
use machines::Machines;
use root::Root;
use site::Site;
use store::Storage;
use subnet::Subnet;

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    site: Site,
    machines: Arc<Machines>,
    events: JoinHandle<()>,
    storage: Storage,
    subnet: Subnet,
    /// Dropped last: it clears up.
    root: Root,
}

impl Deref for Lab {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.machines.close();
        self.events.abort();
    }
}

impl Lab {
    /// Starts a lab with an empty region.
    ///
    /// # Errors
    /// There is no free network, or no directory.
    pub async fn start(mut options: LabOptions) -> anyhow::Result<Self> {
        let subnet = if options.ipv6 { Subnet::claim_ipv6() } else { Subnet::claim() };
        let subnet = subnet.context("cannot find a network for the lab")?;
        let root = options.directory.as_deref().map_or_else(Root::create, Root::create_in)?;
        let storage = Storage::open(options.store, root.path(), subnet.api().ip()).await?;
        options.environment.extend(storage.environment());
        let region = Region::new(RegionConfig {
            addresses: AddressRange { reuse: options.region.addresses.reuse, ..subnet.instances() },
            ..options.region.clone()
        });
        let mut server = RegionServer::start(region, subnet.api()).await.context("cannot serve the region")?;
        let events = server.take_events();
        let machines = Arc::new(Machines::new(server, options, root.path()));
        let events = tokio::spawn(events::follow(machines.clone(), events));
        let site = Site::new(machines.server.region().clone(), machines.clone(), machines.clusters.clone());
        Ok(Self { site, machines, events, storage, subnet, root })
    }

    /// A group of this size whose instances form the cluster `cluster`, with the two hooks that Quorate asks for.
    #[must_use]
    pub fn group(&self, name: &str, cluster: &str, size: u32, hook_timeout: Duration) -> GroupSpec {
        site::group(name, cluster, &self.storage.url(cluster), size, hook_timeout)
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
        if let Some(cluster) = spec.tags.iter().find(|tag| &*tag.key == "quorate:cluster") {
            self.storage.prepare(&cluster.value)?;
        }
        self.region().with(|region, now| region.create_group(spec, now))?;
        Ok(name)
    }

    /// The same, of instances that boot this image and are configured by it alone.
    ///
    /// # Errors
    /// What AWS would say.
    pub fn create_group_of(&self, image: Arc<dyn Image>, spec: GroupSpec) -> anyhow::Result<GroupName> {
        self.machines.boot_from(spec.name.clone(), image);
        self.create_group(spec)
    }

    /// The records of a cluster's charter, oldest first.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn charter(&self, cluster: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        self.storage.charter(cluster)
    }

    /// The directory that is the store of the cluster of this name, in a lab whose store is a directory.
    #[must_use]
    pub fn store(&self, cluster: &str) -> PathBuf {
        self.root.path().join("store").join(cluster)
    }

    /// The store of a lab that was made with [`Store::S3`].
    ///
    /// # Errors
    /// This lab's store is a directory.
    pub fn s3(&self) -> anyhow::Result<&S3Server> {
        self.storage.s3().context("the store of this lab is a directory: start it with Store::S3")
    }

    /// The faults on the wire.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.machines.server.faults()
    }

    /// A metadata service of this instance, besides its machine's: for what a test does in its name.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn metadata(&self, instance: &InstanceId) -> anyhow::Result<ImdsServer> {
        Ok(self.machines.server.serve_imds(instance.clone(), (Ipv4Addr::LOCALHOST, 0).into()).await?)
    }

    /// What was asked of the AWS API.
    #[must_use]
    pub fn asked(&self) -> &Asked {
        self.machines.server.asked()
    }

    /// What `AWS_ENDPOINT_URL` is to be set to.
    #[must_use]
    pub fn url(&self) -> String {
        self.machines.server.url()
    }

    /// The lab's network.
    #[must_use]
    pub fn subnet(&self) -> &Subnet {
        &self.subnet
    }

    /// When the agent of an instance was first started.
    #[must_use]
    pub fn agent_started(&self, instance: &InstanceId) -> Option<Timestamp> {
        self.machines.agent_started(instance)
    }

    /// The directory that holds everything of this lab.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.root.path()
    }

    /// The directory that is the disk of an instance.
    #[must_use]
    pub fn disk(&self, instance: &InstanceId) -> PathBuf {
        self.machines.disk(instance)
    }
}
