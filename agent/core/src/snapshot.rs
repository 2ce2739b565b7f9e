//! Snapshots of etcd: what the store holds of them, how they are named, and which of them belong to this cluster.
//!
//! A snapshot exists only once its manifest does, which is written last. Both lie below the cluster's prefix, apart from the charter.

pub mod retention;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::charter::{ListedVoter, Record};
use crate::ids::{AccountId, ClusterName, EtcdClusterId, Generation, InstanceId, RegionName, SnapshotKey};
use crate::observation::Me;
use crate::plan::Via;
use crate::text::Foreign;
use crate::time::Timestamp;

/// Why a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The interval is over.
    Interval,
    /// A change of the membership is about to be made.
    Change,
    /// The last voter leaves.
    Final,
    /// An operator asked for it.
    Operator,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interval => "interval",
            Self::Change => "change",
            Self::Final => "final",
            Self::Operator => "operator",
        })
    }
}

/// What is known of a snapshot before it is taken: the cluster and member that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotOrder {
    /// The member to read it from: a snapshot is that member's own database.
    pub via: Via,
    /// Why.
    pub trigger: Trigger,
    /// The member serves only this node now: it is asked on loopback, not at its own address.
    pub on_loopback: bool,
    /// No quorum can confirm any longer that the member has every acknowledged write: what it has is all that is left.
    pub unconfirmed: bool,
    /// The generation, by the charter's highest record.
    pub generation: Generation,
    /// The etcd cluster that must answer.
    pub etcd_cluster: EtcdClusterId,
    /// That record's number.
    pub record: u64,
    /// The voters by that record.
    pub voters: Vec<ListedVoter>,
}

impl SnapshotOrder {
    /// An order for the cluster that `record` describes; none unless it is established.
    #[must_use]
    pub fn of(record: &Record, via: Via, trigger: Trigger) -> Option<Self> {
        let (generation, voters) = (record.generation, record.voters.clone());
        let (on_loopback, unconfirmed, record_number) = (false, false, record.number);
        let etcd_cluster = record.etcd_cluster?;
        Some(Self { via, trigger, on_loopback, unconfirmed, generation, etcd_cluster, record: record_number, voters })
    }
}

/// What a snapshot is: written to the store as JSON, after the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format.
    pub version: u32,
    /// The account that the cluster belongs to.
    pub account: AccountId,
    /// The region that it belongs to.
    pub region: RegionName,
    /// The cluster.
    pub cluster: ClusterName,
    /// Its generation.
    pub generation: Generation,
    /// Its etcd cluster id, which no other generation shares.
    pub etcd_cluster: EtcdClusterId,
    /// The number of the charter's highest record at that time.
    pub record: u64,
    /// The voters by that record.
    pub voters: Vec<ListedVoter>,
    /// The last revision in it.
    pub revision: u64,
    /// Its size in bytes, including etcd's checksum at the end.
    pub size: u64,
    /// SHA-256 of all these bytes, in hex, as `sha256sum` prints it for the object.
    pub sha256: String,
    /// The version of the etcd that it was read from.
    pub etcd_version: String,
    /// The instance whose agent took it.
    pub taken_by: InstanceId,
    /// When it was begun, by that agent's clock.
    pub taken_at: Timestamp,
    /// Why.
    pub trigger: Trigger,
}

impl Manifest {
    /// The format that this code reads and writes.
    pub const VERSION: u32 = 1;

    /// Whether it is of `me`'s account, region and cluster.
    #[must_use]
    pub fn belongs_to(&self, me: &Me) -> bool {
        self.account == me.account && self.region == me.region && self.cluster == me.cluster
    }
}

impl SnapshotKey {
    /// A name for a snapshot of this generation that holds at least this revision, taken by an instance at a moment. Generation and revision come
    /// first, so keys sort as the data grew, whatever any clock said.
    #[must_use]
    pub fn of(generation: Generation, revision: u64, at: Timestamp, by: &InstanceId) -> Self {
        Self::made(&format!("{FOLDER}/{:010}/{revision:020}-{:013}-{by}", generation.0, at.0))
    }
}

/// The folder of all snapshots, below the cluster's prefix. A bucket's lifecycle rule may expire what is in it, and nothing else.
pub const FOLDER: &str = "snapshots";

/// Where the data of a snapshot is, below the cluster's prefix.
#[must_use]
pub fn data_key(key: &SnapshotKey) -> String {
    format!("{key}.db")
}

/// Where its manifest is.
#[must_use]
pub fn manifest_key(key: &SnapshotKey) -> String {
    format!("{key}.json")
}

/// A complete snapshot in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: SnapshotKey,
    /// Its manifest.
    pub manifest: Manifest,
    /// When the manifest was written, by the store's clock: the only clock that all nodes share.
    pub stored_at: Timestamp,
}

/// Something in the folder that is not a complete snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Where, below the cluster's prefix.
    pub at: String,
    /// When it was last written, by the store's clock.
    pub stored_at: Timestamp,
    /// What is wrong with it.
    pub why: StrayKind,
}

/// What is wrong with a stray.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StrayKind {
    /// Data without a manifest: an upload that is still running, or that broke off.
    Unfinished,
    /// A manifest without its data, or with data of another size.
    Broken(Foreign),
    /// It is not ours, or of a format that this version does not know.
    Foreign(Foreign),
}

/// What the store holds in the folder, ascending by generation, revision and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Complete snapshots that say they are of this cluster.
    pub snapshots: Vec<Stored>,
    /// Everything else.
    pub strays: Vec<Stray>,
}

impl Listing {
    /// The newest snapshot of this generation of this etcd cluster.
    #[must_use]
    pub fn newest_of(&self, generation: Generation, etcd_cluster: EtcdClusterId) -> Option<&Stored> {
        self.snapshots.iter().rev().find(|s| s.manifest.generation == generation && s.manifest.etcd_cluster == etcd_cluster)
    }

    /// The snapshot with this key.
    #[must_use]
    pub fn get(&self, key: &SnapshotKey) -> Option<&Stored> {
        self.snapshots.iter().find(|s| s.key == *key)
    }

    /// Sorts as [`Listing`] promises.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.snapshots.sort_by(|a, b| order(a).cmp(&order(b)));
        self.strays.sort_by(|a, b| a.at.cmp(&b.at));
        self
    }
}

fn order(s: &Stored) -> (Generation, u64, Timestamp, &SnapshotKey) {
    (s.manifest.generation, s.manifest.revision, s.stored_at, &s.key)
}

/// A listing as an observation carries it: shared, because it is long and seldom changes.
pub type SharedListing = Arc<Listing>;
