//! What is against taking, proving, restoring or deleting a snapshot.

use std::time::Duration;

use crate::ids::{EtcdClusterId, SnapshotKey};
use crate::snapshot::Trigger;
use crate::text::Foreign;
use crate::time::Timestamp;

/// What is against taking, proving, restoring or deleting a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotFault {
    /// There is no store.
    NoStore,
    /// Snapshots are switched off.
    Disabled,
    /// It is of another record than the highest.
    OtherRecord {
        /// The record that it names.
        named: u64,
        /// The highest.
        highest: u64,
    },
    /// It is of another etcd cluster than the charter's.
    OtherCluster {
        /// The etcd cluster that it names.
        named: EtcdClusterId,
        /// The charter's.
        charter: Option<EtcdClusterId>,
    },
    /// Another etcd cluster answers than it names.
    OtherAnswers {
        /// The etcd cluster that it names.
        named: EtcdClusterId,
        /// The one that answers.
        answers: EtcdClusterId,
    },
    /// etcd does not serve loopback alone.
    NotOnLoopback,
    /// Only a final one is taken without a quorum's word.
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
    /// What lies there is no remains of an upload.
    NotRemains(Foreign),
    /// A drill would keep the leader's disk busy.
    LeadersDisk,
    /// Another drill goes on, of this one.
    DrillRuns(SnapshotKey),
    /// The last drill was not long ago.
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
    /// This one is no final snapshot of this agent.
    NotTheFinal(SnapshotKey),
    /// Somebody could write after this one was taken.
    WritesAfter(SnapshotKey),
}
