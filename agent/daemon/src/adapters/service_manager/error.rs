//! What can go wrong with the member's process.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::host::HostError;

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
    /// Another agent is starting etcd on the same data at this moment.
    #[error("another quorate holds {}: only one agent may run for one data directory", lock.display())]
    Busy {
        /// The lock file.
        lock: PathBuf,
    },
    /// The binary did not tell its version.
    #[error("{} --version gave no version within {limit:?}, but {said:?}: is it etcd?", etcd.display())]
    NoVersion {
        /// The binary.
        etcd: PathBuf,
        /// How long it was waited for.
        limit: Duration,
        /// What it wrote.
        said: String,
    },
    /// Not even SIGKILL ended it: it hangs in the kernel, most likely on a dead disk.
    #[error("etcd (process {pid}) is still there {waited:?} after SIGKILL: its disk hangs; terminate the instance")]
    Unkillable {
        /// Its process id.
        pid: i32,
        /// How long it was waited for.
        waited: Duration,
    },
}
