//! The member's process, or a worker's: finds, starts and stops it. Only the agent starts it, and nothing restarts it behind the agent's back.

pub mod banner;
mod boot_mark;
mod ended;
mod error;
mod etcd;
pub mod exec;
mod last_words;
mod program;
mod systemd;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use quorate_core::etcd_version::{EtcdVersion, StartRefusal};
use quorate_core::observation::{Process, TakenPort};
use quorate_core::plan::Start;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;
use tokio::process::Command;

use crate::systemd::Bus;

pub use error::ServiceError;
pub use etcd::{CommandLine, EtcdServer, MemberSpec, started, try_settings};
pub use exec::Exec;
pub use program::{Given, Program};
pub use systemd::{Systemd, SystemdPaths, left};

/// What is known of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessState {
    /// Whether it runs.
    pub process: Process,
    /// Whether etcd has run on this very data since the machine booted.
    pub ran_this_boot: bool,
    /// What it has done so far ([`Effort::work`](quorate_core::observation::Effort)), if it runs and etcd is all that it is.
    pub work: Option<u64>,
    /// Why the last one exited, if its last log lines name something that another start would meet again.
    pub ended: Option<StartRefusal>,
}

/// What the program said when asked, without starting anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// Its minor release.
    pub version: EtcdVersion,
    /// Its own words, if it refuses the flags that it would get.
    pub flag_refused: Option<String>,
}

/// Something that runs the member's process.
#[async_trait]
pub trait ServiceManager: Send + Sync {
    /// Whether the process runs.
    async fn state(&self) -> Result<ProcessState, ServiceError>;

    /// Which etcd would be started, and whether it accepts its flags. The binary is asked again whenever the file has changed. `None` where a distribution
    /// brings its own.
    async fn preflight(&self, now: Timestamp) -> Option<Result<Preflight, ServiceError>>;

    /// The ports that a start needs and another process has, while it does not run.
    fn taken_ports(&self) -> Vec<TakenPort>;

    /// Starts it, to be reached like this. A process that already runs counts as started.
    ///
    /// The data directory has been labelled ([`super::host::DataDir::prepare`]) if `how` starts on an empty one.
    async fn start(&self, how: &Start, transport: Transport) -> Result<(), ServiceError>;

    /// Has the program itself restore this snapshot into its own, empty data directory, and exit, within `limit`. None of it still runs when this returns,
    /// whatever the result. [`ServiceManager::stop`] ends what an earlier, interrupted one left running.
    async fn restore(&self, snapshot: &Path, limit: Duration) -> Result<(), ServiceError>;

    /// Makes sure that only this agent starts it again, even after a reboot. The next start undoes this.
    async fn keep_down(&self) -> Result<(), ServiceError>;

    /// Asks it to exit, which makes etcd hand over leadership, and kills it after `grace`. It is gone when this returns.
    async fn stop(&self, grace: Duration) -> Result<(), ServiceError>;
}

/// Where a program that is a child writes to.
#[must_use]
pub fn log_file(state_dir: &Path, program: &str) -> PathBuf {
    state_dir.join(format!("{program}.log"))
}

/// Why the program whose log this is ended of itself, in its own words; for one who asks beside the agent while none runs.
#[must_use]
pub fn end_in(log: &Path) -> Option<String> {
    last_words::of_end(&exec::end_of(log))
}

/// The same of a unit's last process, from the journal.
pub async fn end_of_unit(bus: &Bus, unit: &str) -> Option<String> {
    systemd::log_of_failed(bus, unit).await.and_then(|log| last_words::of_end(&log))
}

/// What a child may see of the agent's environment. `NOTIFY_SOCKET` would let etcd report the agent ready, and any `ETCD_*` would change its settings past the
/// flags.
const KEPT_ENVIRONMENT: &[&str] = &["PATH", "HOME", "TZ", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"];

fn clean_environment(command: &mut Command) -> &mut Command {
    let kept = KEPT_ENVIRONMENT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
    command.env_clear().envs(kept).envs(UNSUPPORTED_ARCH.iter().copied())
}

/// etcd 3.4 refuses to run on arm64 without it; later ones do not care.
const UNSUPPORTED_ARCH: &[(&str, &str)] = if cfg!(target_arch = "aarch64") { &[("ETCD_UNSUPPORTED_ARCH", "arm64")] } else { &[] };

/// A file's text; none if it does not exist.
pub(in crate::adapters) fn read(path: &Path) -> Result<Option<String>, ServiceError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ServiceError::Io { operation: "read", path: path.to_owned(), source }),
    }
}

/// Removes a file, if it exists.
pub(in crate::adapters) fn remove(path: &Path) -> Result<(), ServiceError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(ServiceError::Io { operation: "remove", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}
