//! The settings: TOML fragments, or one file, read once at start. An empty file, or none, is valid.
//!
//! There are four stages: the fragments are merged ([`fragments`]); the text becomes a `file::File`, in which every key is optional and an unknown one is
//! refused; each value is checked against its own limits; then the rules between values are checked. The result is a [`Settings`] that needs no further check.

mod check;
mod etcd;
mod file;
pub mod fragments;
mod grants;
mod kubernetes;
mod render;
mod service;
mod snapshot;
mod target_groups;
mod timing;
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_core::handout::Grant;
use quorate_core::ids::ClusterName;
use quorate_core::policy::Policy;

pub use etcd::EtcdSettings;
pub use kubernetes::{Distribution, Endpoint, KubernetesSettings};
pub use render::RenderSettings;
pub use service::{ServiceSettings, UNIT};
pub use values::{cluster_name, store_url};

use crate::adapters::aws::{HookPattern, IpFamily};
use crate::adapters::host::atomic;
use crate::telemetry::LogLevel;
use quorate_core::role::Role;

/// Settings that override the group's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// In place of the tag `quorate:cluster`.
    pub name: Option<ClusterName>,
    /// In place of the tag `quorate:role`.
    pub role: Option<Role>,
    /// In place of the tag `quorate:store`; `store.url`.
    pub store_url: Option<String>,
    /// Options of the object store, by its library's names (`endpoint`, `allow_http`).
    pub store_options: BTreeMap<String, String>,
}

/// The agent's directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// For the agent's own memory; survives a reboot.
    pub state_dir: PathBuf,
    /// For the control socket; gone after a reboot.
    pub run_dir: PathBuf,
    /// The data of Quorate's own etcd. Renamed as a whole when it is put aside.
    pub data_dir: PathBuf,
    /// The mount point below which etcd's data lies. Until something is mounted there nothing is known about the data.
    pub data_mount: Option<PathBuf>,
    /// How long data that was put aside is kept; for ever if there is no limit.
    pub trash_keep: Option<Duration>,
}

impl Paths {
    /// Where this node's certificates are.
    #[must_use]
    pub fn tls_dir(&self) -> PathBuf {
        self.state_dir.join("tls")
    }

    /// Where data is put aside: beside its old place, because a rename cannot leave the file system.
    #[must_use]
    pub fn trash(&self) -> PathBuf {
        atomic::with_suffix(&self.data_dir, ".trash")
    }
}

/// How AWS is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSettings {
    /// The lifecycle hooks that are ours.
    pub hook_pattern: HookPattern,
    /// Which of an instance's addresses counts.
    pub ip_family: IpFamily,
    /// Longest time of one call to EC2 or Auto Scaling, with its retries.
    pub call_timeout: Duration,
    /// Longest time of one question to IMDS, including the token that it may need first.
    pub imds_timeout: Duration,
}

/// Everything that an operator may set, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The cluster this instance belongs to.
    pub cluster: ClusterSettings,
    /// The planner's choices and times.
    pub policy: Policy,
    /// The port on which agents answer each other.
    pub peer_port: u16,
    /// How long each certificate is valid.
    pub leaf_life: Duration,
    /// What roles are given that may not read the authority.
    pub grants: Vec<Grant>,
    /// What runs etcd.
    pub service: ServiceSettings,
    /// How etcd is run.
    pub etcd: EtcdSettings,
    /// Directories.
    pub paths: Paths,
    /// AWS.
    pub aws: AwsSettings,
    /// Where `/metrics` is served, beside the control socket.
    pub metrics_listen: Option<SocketAddr>,
    /// Where `/readyz` and `/leader` are served.
    pub health_listen: Option<SocketAddr>,
    /// Which lines are written.
    pub log_level: LogLevel,
    /// The distribution that control planes and workers run.
    pub kubernetes: KubernetesSettings,
    /// Files written from templates.
    pub render: Vec<RenderSettings>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line named a file that does not exist.
    #[error("the configuration file {} does not exist: create it, or leave --config out", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("the configuration file {} cannot be read: make it readable to the user that runs quorate", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file's content was refused.
    #[error("the configuration file {} is refused", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Refusal,
    },
    /// Each fragment is valid, but not all of them together.
    #[error("the configuration is refused; it is made of {}", paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    Together {
        /// The fragments, in the order in which they were read.
        paths: Vec<PathBuf>,
        /// Why.
        source: Refusal,
    },
}

/// What is wrong with a file's content.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not TOML, or a key is unknown or has the wrong type; the source says which, where, and what is known.
    #[error("it is not a configuration of quorate")]
    Syntax(#[from] Box<toml::de::Error>),
    /// One value cannot be used.
    #[error("{key} = {value}: {remedy}")]
    Value {
        /// The key with its section.
        key: String,
        /// The given or default value.
        value: String,
        /// What to write instead.
        remedy: String,
    },
}

impl Refusal {
    fn value(key: &str, value: impl std::fmt::Display, remedy: impl Into<String>) -> Self {
        Self::Value { key: key.to_owned(), value: value.to_string(), remedy: remedy.into() }
    }
}

impl Settings {
    /// Reads the settings from the file at `path` alone, or from the fragments.
    ///
    /// # Errors
    /// A named file is absent, or a file is unreadable or refused.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        match path {
            Some(path) => {
                let text = read(path)?.ok_or_else(|| ConfigError::Absent { path: path.to_owned() })?;
                Self::parse(&text).map_err(|source| ConfigError::Refused { path: path.to_owned(), source })
            }
            None => Self::merged(&fragments::DIRECTORIES.map(Path::new)),
        }
    }

    /// Reads the settings from the fragments in these directories.
    ///
    /// # Errors
    /// A fragment is unreadable or refused, or all together are.
    pub fn merged(directories: &[&Path]) -> Result<Self, ConfigError> {
        let paths = fragments::find(directories)?;
        let merged = fragments::merge(&paths)?;
        Self::of(merged).map_err(|source| ConfigError::Together { paths, source })
    }

    /// Parses a file's content.
    ///
    /// # Errors
    /// The first thing in it that cannot be used.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        check::settings(toml::from_str(text).map_err(Box::new)?)
    }

    fn of(table: toml::Table) -> Result<Self, Refusal> {
        check::settings(table.try_into().map_err(Box::new)?)
    }
}

fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;
