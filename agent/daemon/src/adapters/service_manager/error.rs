//! What can go wrong with the member's process.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::host::HostError;
use crate::systemd::BusError;

/// A process that cannot be seen, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The operating system refused.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as an infinitive.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file beside the process could not be read or written.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Another agent is starting the same program on the same data at this moment.
    #[error("another quorate holds {}: only one agent may run for one data directory", lock.display())]
    Busy {
        /// The lock file.
        lock: PathBuf,
    },
    /// The program cannot start in this way.
    #[error("{program} cannot start like this: {how}; report it")]
    Unfit {
        /// The program.
        program: &'static str,
        /// How it should have started.
        how: String,
    },
    /// The operator's own configuration sets what the agent sets.
    #[error("{} sets {key}, which quorate sets itself: remove it", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// The binary did not report its version.
    #[error("{} --version reported no version within {limit:?}, but {said:?}: is it the right program?", binary.display())]
    NoVersion {
        /// The binary.
        binary: PathBuf,
        /// How long it was waited for.
        limit: Duration,
        /// What it wrote.
        said: String,
    },
    /// etcd would not start with these flags.
    #[error("{} refuses its flags: {message}; remove it from etcd.extra_args and etcd.env, or install an etcd that knows it", binary.display())]
    FlagRefused {
        /// The binary.
        binary: PathBuf,
        /// Its own words.
        message: String,
    },
    /// systemd refused, or could not be asked.
    #[error("systemd does not run {unit}")]
    Systemd {
        /// The unit.
        unit: String,
        /// What the bus said.
        source: BusError,
    },
    /// systemd has no such unit, or must not run it.
    #[error("the unit {unit} is {load}: install it, unmask it, or name the one that runs etcd as service.unit")]
    NoUnit {
        /// The unit.
        unit: String,
        /// systemd's `LoadState`.
        load: String,
    },
    /// The unit was asked to start and has no process.
    #[error("{unit} did not start: {why}")]
    NotStarted {
        /// The unit.
        unit: String,
        /// What systemd says about it.
        why: String,
    },
    /// The program itself failed to restore a snapshot.
    #[error("{program} did not restore {}: {why}", snapshot.display())]
    NotRestored {
        /// The program.
        program: &'static str,
        /// The snapshot's file.
        snapshot: PathBuf,
        /// How it ended, and its last words.
        why: String,
    },
    /// Not even SIGKILL ended it: it hangs in the kernel, most likely on a dead disk.
    #[error("process {pid} still exists {waited:?} after SIGKILL: its disk hangs; terminate the instance")]
    Unkillable {
        /// Its process id.
        pid: i32,
        /// How long it was waited for.
        waited: Duration,
    },
}
