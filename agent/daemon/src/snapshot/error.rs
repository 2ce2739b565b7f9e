//! Why there is no snapshot, or why one cannot be trusted.

use std::path::PathBuf;

use quorate_core::ids::{EtcdClusterId, SnapshotKey};

use crate::adapters::etcd::{BackendError, EtcdError};
use crate::adapters::host::HostError;
use crate::adapters::object_store::StoreError;

/// See the module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It could not be read from etcd.
    #[error("the snapshot could not be read from etcd")]
    Etcd(#[from] EtcdError),
    /// The store failed.
    #[error("the store failed the snapshot")]
    Store(#[from] StoreError),
    /// Another cluster answered.
    #[error("etcd at {url} belongs to cluster {answered}, but the charter says {expected}: no snapshot is taken of it")]
    AnotherCluster {
        /// The endpoint.
        url: String,
        /// The cluster that answered.
        answered: EtcdClusterId,
        /// The cluster that was expected.
        expected: EtcdClusterId,
    },
    /// What arrived from etcd is not what it sent.
    #[error("the snapshot from etcd at {url} is not complete: {why}; it is not kept")]
    Broken {
        /// The endpoint.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// It is no longer in the list.
    #[error("the store no longer lists snapshot {key}")]
    Gone {
        /// Which.
        key: SnapshotKey,
    },
    /// The database in it could not be read.
    #[error("the database in snapshot {key} could not be read")]
    Backend {
        /// Which.
        key: SnapshotKey,
        /// Why not.
        #[source]
        source: BackendError,
    },
    /// The disk or etcd's tool failed a drill.
    #[error("snapshot {key} could not be put on this disk")]
    Trial {
        /// Which.
        key: SnapshotKey,
        /// Why not.
        #[source]
        source: HostError,
    },
    /// There is too little room for a trial.
    #[error("{} has {free} bytes free, but restoring snapshot {key} takes {needed}: make room, or give another directory", path.display())]
    NoRoom {
        /// Which.
        key: SnapshotKey,
        /// Where.
        path: PathBuf,
        /// What there is.
        free: u64,
        /// What is needed: for the snapshot and what is restored from it.
        needed: u64,
    },
    /// What is in the store is not what was written.
    #[error("snapshot {key} cannot be trusted: {why}")]
    Corrupt {
        /// Which.
        key: SnapshotKey,
        /// What is wrong.
        why: String,
    },
}
