//! The member's process: is it there, start it, stop it. Only the agent starts etcd, and nothing restarts it behind the agent's back.

mod arguments;
mod boot_mark;
mod error;
pub mod exec;
mod systemd;
mod version;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use quorate_core::ids::InstanceId;
use quorate_core::observation::Process;
use quorate_core::plan::Start;
use tokio::process::Command;

pub use error::ServiceError;
pub use exec::Exec;
pub use systemd::{Systemd, SystemdPaths};
pub use version::EtcdVersion;

/// What of a member stays the same from start to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSpec {
    /// Its name: the instance id.
    pub name: InstanceId,
    /// This instance's private address, on which peers and clients reach it.
    pub address: IpAddr,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// The loopback address on which a founder serves clients until the charter says `established`.
    pub founding_address: IpAddr,
    /// The operator's own etcd flags, such as `--quota-backend-bytes=8589934592`. They come last, and with etcd the last one wins.
    pub flags: Vec<String>,
    /// Further environment of the operator's. Nothing else of the agent's own reaches etcd but a few harmless names.
    pub environment: BTreeMap<String, String>,
}

/// What is known of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessState {
    /// Whether it runs.
    pub process: Process,
    /// Whether etcd has run on this very data since the machine booted.
    pub ran_this_boot: bool,
}

/// Something that runs the member's process.
#[async_trait]
pub trait ServiceManager: Send + Sync {
    /// Whether the process runs.
    async fn state(&self) -> Result<ProcessState, ServiceError>;

    /// Starts it. Running already is as good as started.
    ///
    /// The data directory has been labelled ([`super::host::DataDir::prepare`]) where `how` is on an empty one.
    async fn start(&self, how: &Start) -> Result<(), ServiceError>;

    /// Sees to it that nobody but this agent starts it again, whatever becomes of the machine. Undone by the next start.
    async fn keep_down(&self) -> Result<(), ServiceError>;

    /// Asks it to end, which makes etcd hand over leadership, and ends it by force after `grace`. It is gone when this returns.
    async fn stop(&self, grace: Duration) -> Result<(), ServiceError>;
}

/// What a child may see of the agent's environment. `NOTIFY_SOCKET` would let etcd report the agent ready, and any `ETCD_*` would
/// change its settings behind the flags.
const KEPT_ENVIRONMENT: &[&str] = &["PATH", "HOME", "TZ", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"];

fn clean_environment(command: &mut Command) -> &mut Command {
    let kept = KEPT_ENVIRONMENT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
    command.env_clear().envs(kept).envs(UNSUPPORTED_ARCH.iter().copied())
}

/// etcd 3.4 refuses to run on arm64 without it; later ones do not care.
const UNSUPPORTED_ARCH: &[(&str, &str)] = if cfg!(target_arch = "aarch64") { &[("ETCD_UNSUPPORTED_ARCH", "arm64")] } else { &[] };
