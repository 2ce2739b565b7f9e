//! What can go wrong on this machine's disk.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_core::ids::InstanceId;

/// A file operation that failed, or a file that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The operating system refused.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as an infinitive.
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The data's mount point is only a directory.
    #[error("nothing is mounted at {} (paths.data_mount): mount the data there, or correct the key", mount.display())]
    NotMounted {
        /// The mount point.
        mount: PathBuf,
    },
    /// A rename left its file system.
    #[error(
        "cannot rename {} to {}: they are on different file systems, or the first is a mount point; \
         make the data directory a folder below its mount, not the mount point itself",
        from.display(), to.display()
    )]
    CrossDevice {
        /// The data.
        from: PathBuf,
        /// Where it was to be moved.
        to: PathBuf,
    },
    /// A file of ours that does not parse.
    #[error("{} is malformed; {remedy}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the operator can do.
        remedy: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file of ours in a format that this version does not know.
    #[error("{} has format {found}, but this quorate knows {known}: install the quorate that wrote it; {remedy}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The format that it says it has.
        found: u32,
        /// The format that this code reads.
        known: u32,
        /// What the operator can do.
        remedy: &'static str,
    },
    /// etcd's write-ahead log cannot be read.
    #[error("{} is not a readable etcd write-ahead log: {what}; if the disk is damaged, move the data directory away by hand", path.display())]
    Wal {
        /// The segment.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The data directory was made by another instance.
    #[error(
        "{} holds the member data of {owner}, and this is {me}: it came with a disk image or a reattached volume. If that was the \
         cluster's only voter and this is its volume as it left it, `quorate recover --reattached-volume` goes on from it; else move it away, and make images \
         from a machine that never joined",
        data_dir.display()
    )]
    ForeignData {
        /// The data directory.
        data_dir: PathBuf,
        /// The instance that its label names.
        owner: InstanceId,
        /// This instance.
        me: InstanceId,
    },
    /// There is nothing to restore from.
    #[error("{} does not exist: there is no data to restore", db.display())]
    NothingToRestore {
        /// The database that a restore starts from.
        db: PathBuf,
    },
    /// Neither restore tool was found.
    #[error("found neither etcdutl nor etcdctl in {searched}: install the one that comes with this etcd")]
    NoRestoreTool {
        /// The directories that were searched.
        searched: String,
    },
    /// The restore tool failed.
    #[error("{} snapshot restore failed ({status}): {message}", tool.display())]
    RestoreFailed {
        /// The tool.
        tool: PathBuf,
        /// Its exit status.
        status: String,
        /// The end of what it wrote.
        message: String,
    },
    /// The restore tool did not exit.
    #[error("{} snapshot restore did not end within {limit:?} and was killed", tool.display())]
    RestoreTimeout {
        /// The tool.
        tool: PathBuf,
        /// The time limit.
        limit: Duration,
    },
}

impl HostError {
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_owned(), source }
    }
}
