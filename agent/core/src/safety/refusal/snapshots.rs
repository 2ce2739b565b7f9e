//! Why a snapshot is not to be taken, proved, restored or deleted.

use std::time::Duration;

use crate::ids::{EtcdClusterId, SnapshotKey};
use crate::snapshot::Trigger;
use crate::text::Foreign;
use crate::time::Timestamp;

/// Why a snapshot is not to be taken, proved, restored or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotFault {
    /// There is no store.
    NoStore,
    /// Snapshots are switched off.
    Disabled,
    /// It is of a record that is not the highest.
    OtherRecord {
        /// The record that it names.
        named: u64,
        /// The highest.
        highest: u64,
    },
    /// It is of an etcd cluster that is not the charter's.
    OtherCluster {
        /// The etcd cluster that it names.
        named: EtcdClusterId,
        /// The charter's.
        charter: Option<EtcdClusterId>,
    },
    /// The etcd cluster that answers is not the one that it names.
    OtherAnswers {
        /// The etcd cluster that it names.
        named: EtcdClusterId,
        /// The one that answers.
        answers: EtcdClusterId,
    },
    /// etcd does not serve only loopback.
    NotOnLoopback,
    /// Without a quorum, only a final one is taken.
    NotFinal(Trigger),
    /// It is not of this node's own data.
    NotOwnData,
    /// This one is not in the store's list.
    NotListed(SnapshotKey),
    /// Not all of those that would be deleted are in the store's list.
    SomeNotListed {
        /// How many are.
        listed: usize,
        /// How many would be deleted.
        named: usize,
    },
    /// The charter rests on this one.
    IsOrigin(SnapshotKey),
    /// No newer one of the data of this one would be left.
    NewestOfItsData(SnapshotKey),
    /// Fewer would be left than the operator wants.
    TooFew {
        /// How many would be left.
        left: usize,
        /// How many the operator wants.
        wanted: usize,
    },
    /// What is stored there is not the remains of an upload.
    NotRemains(Foreign),
    /// A drill would keep the leader's disk busy.
    LeadersDisk,
    /// Another drill, of this one, has not ended.
    DrillRuns(SnapshotKey),
    /// The last drill was too recent.
    DrilledLately {
        /// When it was.
        at: Timestamp,
        /// How often one is wanted.
        interval: Duration,
    },
    /// The cluster was retired to this one.
    RetiredTo(SnapshotKey),
    /// This one is not of the cluster's history.
    NotOfHistory(SnapshotKey),
    /// This one was not proved on this disk.
    NotProved(SnapshotKey),
    /// This one is newer, and would be passed over.
    NewerLeft(SnapshotKey),
    /// This one is not the final snapshot that this agent took.
    NotTheFinal(SnapshotKey),
    /// A client could still write after this one was taken.
    WritesAfter(SnapshotKey),
}
