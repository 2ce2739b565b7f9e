//! What differs between Kubernetes distributions, as a node runs them.
//!
//! A distribution's server contains an etcd member, which the distribution itself adds, names and configures. The agent decides how the server starts, with a
//! file of its own among the operator's, and does the rest through etcd's own protocol.

mod k3s;
mod server;

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quorate_core::authority::AuthorityHash;
use quorate_core::ids::InstanceId;
use quorate_core::observation::Me;
use quorate_core::plan::Start;

use crate::adapters::etcd::CredentialFiles;
use crate::adapters::host::atomic;
use crate::adapters::service_manager::ServiceError;
use crate::config;
pub use k3s::K3s;
pub(crate) use k3s::named_by;
pub use server::{DistributionServer, permit, running};

/// What stays the same about a node from start to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name: the instance id, which no later instance has (a reused name would meet the old node's password and etcd member).
    pub name: InstanceId,
    /// This instance's private address.
    pub address: IpAddr,
    /// It is a worker, not a server.
    pub worker: bool,
    /// Its availability zone.
    pub zone: String,
    /// The loopback address on which a founder serves until the charter says `established`.
    pub founding_address: IpAddr,
}

/// Where a server's data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPlace {
    /// etcd's own directory.
    pub etcd: PathBuf,
    /// Other data of the same cluster, which is put aside with it.
    pub beside: Vec<PathBuf>,
    /// Where all of it is moved then, on the same file system.
    pub trash: PathBuf,
}

/// What a rendered configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// The server that it joins, or joined, through.
    pub server: Option<IpAddr>,
    /// Its API is reachable only from this machine.
    pub loopback_only: bool,
}

/// A distribution on this node, in this node's role.
pub trait Distribution: fmt::Debug + Send + Sync {
    /// Its name, also used in file names.
    fn name(&self) -> &'static str;

    /// It runs no server here.
    fn is_worker(&self) -> bool;

    /// The unit that runs it, unless the operator names another.
    fn unit(&self) -> &'static str;

    /// What a child runs.
    fn binary(&self) -> &Path;

    /// The arguments of a child.
    fn arguments(&self) -> Vec<OsString>;

    /// The arguments with which it restores this snapshot into its empty data directory, and exits. Its configuration file is a founder's then.
    fn restore_arguments(&self, snapshot: &Path) -> Vec<OsString>;

    /// Whether this command line is the distribution's.
    fn is_command_line(&self, words: &[Vec<u8>]) -> bool;

    /// The file that the agent writes before each start.
    fn configuration_file(&self) -> PathBuf;

    /// That file's text for this start.
    ///
    /// # Errors
    /// No node of this role starts like this.
    fn configuration(&self, how: &Start) -> Result<String, ServiceError>;

    /// That file's text for a restore: a founder's, plus what a restore needs.
    ///
    /// # Errors
    /// A secret that it needs cannot be read.
    fn restore_configuration(&self) -> Result<String, ServiceError>;

    /// Makes sure that no file of the operator's sets what belongs to the agent: a stray `server:` or `cluster-init:` decides between one cluster and two.
    ///
    /// # Errors
    /// Names the file and the key.
    fn check_others(&self) -> Result<(), ServiceError>;

    /// Makes sure that the arguments with which `unit` runs it set none of that either, nor make it read another configuration: a flag takes precedence over
    /// every file.
    ///
    /// # Errors
    /// Names the unit and the key.
    fn check_arguments(&self, unit: &str, arguments: &[String]) -> Result<(), ServiceError>;

    /// What such a text says.
    fn read(&self, text: &str) -> Configured;

    /// Where a server's data lies.
    fn data(&self) -> DataPlace;

    /// The directory whose inode distinguishes this node's data from other data.
    fn marked_dir(&self) -> PathBuf;

    /// The credentials for etcd. The files exist once a server has started here.
    fn etcd_credentials(&self) -> CredentialFiles;

    /// The kubeconfig for the API, with this role's permissions.
    fn kubeconfig(&self) -> PathBuf;

    /// The port of every server's API.
    fn api_port(&self) -> u16;

    /// The cluster's authority, as this server names it to nodes that join. None before there is one.
    ///
    /// # Errors
    /// It cannot be read.
    fn authority(&self) -> Result<Option<AuthorityHash>, ServiceError>;

    /// The authority that this node's own token names; none if it names none, or cannot be read.
    fn pinned(&self) -> Option<AuthorityHash>;

    /// A question that a server answers without any credentials.
    fn probe(&self) -> Probe;

    /// Writes the file for this start.
    ///
    /// # Errors
    /// No node of this role starts like this, the operator's files contradict, or it cannot be written.
    fn write(&self, how: &Start) -> Result<(), ServiceError> {
        self.put(&self.configuration(how)?)
    }

    /// Writes the file with this text.
    ///
    /// # Errors
    /// The operator's files contradict, or it cannot be written.
    fn put(&self, text: &str) -> Result<(), ServiceError> {
        self.check_others()?;
        let file = self.configuration_file();
        atomic::create_private_dir(atomic::parent(&file))?;
        Ok(atomic::write(&file, text.as_bytes())?)
    }

    /// Makes the file name another server, from the next start on. What runs is not affected.
    ///
    /// # Errors
    /// As [`Distribution::write`].
    fn point_at(&self, server: IpAddr) -> Result<(), ServiceError> {
        let loopback_only = self.configured()?.loopback_only;
        self.write(&match self.is_worker() {
            true => Start::Worker { server, authority: None },
            false => Start::Resume { loopback_only, server: Some(server) },
        })
    }

    /// What the file last written says: it was written before the last start, or to name another server.
    ///
    /// # Errors
    /// It exists but cannot be read.
    fn configured(&self) -> Result<Configured, ServiceError> {
        Ok(crate::adapters::service_manager::read(&self.configuration_file())?.map(|text| self.read(&text)).unwrap_or_default())
    }
}

/// A question that a working server answers to anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The port.
    pub port: u16,
    /// The path.
    pub path: &'static str,
    /// The answer's text.
    pub answer: &'static str,
}

/// The distribution that `settings` choose for this node; none for the role etcd.
#[must_use]
pub fn of(settings: &config::Settings, me: &Me, zone: &str) -> Option<Arc<dyn Distribution>> {
    me.role.has_node().then(|| {
        let spec = NodeSpec {
            name: me.instance.clone(),
            address: me.address,
            worker: me.role == quorate_core::role::Role::Worker,
            zone: zone.to_owned(),
            founding_address: settings.etcd.founding_address,
        };
        chosen(settings, spec)
    })
}

/// The distribution that `settings` choose, on this node.
#[must_use]
pub fn chosen(settings: &config::Settings, spec: NodeSpec) -> Arc<dyn Distribution> {
    match settings.kubernetes.distribution {
        config::Distribution::K3s => Arc::new(K3s::new(settings.kubernetes.clone(), spec)),
    }
}
