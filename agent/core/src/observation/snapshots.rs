//! Snapshots: what the store holds, and what this agent is at.

use crate::ids::SnapshotKey;
use crate::reading::Reading;
use crate::snapshot::{SharedListing, Trigger};
use crate::time::Timestamp;

/// A snapshot on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taking {
    /// Why.
    pub trigger: Trigger,
    /// Since when.
    pub since: Timestamp,
    /// Bytes read from etcd so far.
    pub bytes: u64,
    /// Of how many, as etcd said at the start.
    pub of: Option<u64>,
}

/// A snapshot that is in the store, as the agent knows it that took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its key.
    pub key: SnapshotKey,
    /// The last revision in it.
    pub revision: u64,
}

/// What became of the last one that this agent took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Why.
    pub trigger: Trigger,
    /// When it was begun.
    pub since: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// The snapshot, or why there is none.
    pub result: Result<Saved, String>,
}

/// A snapshot on its way from the store onto this disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// Which.
    pub key: SnapshotKey,
    /// Bytes so far.
    pub bytes: u64,
    /// Of how many.
    pub of: u64,
}

/// Why a snapshot did not get onto this disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// It is not what its manifest says: it can never be used.
    Corrupt(String),
    /// The store or the disk failed: it may come another time.
    Failed(String),
}

/// All that is seen of snapshots.
#[derive(Clone, Debug)]
pub struct SnapshotsView {
    /// What the store holds. A store that cannot be read is not one without snapshots.
    pub stored: Reading<SharedListing>,
    /// What this agent takes just now, beside its loop.
    pub taking: Option<Taking>,
    /// What it took last, since it started.
    pub taken: Option<Taken>,
    /// What is being fetched just now, beside the loop.
    pub fetching: Option<Fetching>,
    /// What lies on this disk, whole and proved.
    pub fetched: Option<SnapshotKey>,
    /// What came of the last fetch, if it failed, and when.
    pub fetch_failed: Option<(SnapshotKey, Timestamp, FetchFailure)>,
}

impl SnapshotsView {
    /// Nothing, for want of a store or of a member.
    #[must_use]
    pub fn none(why: &'static str) -> Self {
        Self { stored: Reading::unknown(why), taking: None, taken: None, fetching: None, fetched: None, fetch_failed: None }
    }
}
