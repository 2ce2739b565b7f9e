//! Snapshots: what the store holds, and what this agent is at.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// What came of restoring a snapshot on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// Which.
    pub key: SnapshotKey,
    /// Its revision, as its manifest says it; 0 if the manifest could not be read.
    pub revision: u64,
    /// When it ended.
    pub at: Timestamp,
    /// Why it failed, if it did.
    pub failed: Option<String>,
}

/// A drill that failed for want of room, or of the store, is tried again after so long, or after the interval if that is shorter: each reads all of
/// a snapshot.
const AFTER_A_FAILURE: Duration = Duration::from_secs(3600);

impl Drilled {
    /// When the next one is due, with one each `interval`.
    #[must_use]
    pub fn next(&self, interval: Duration) -> Timestamp {
        self.at + if self.failed.is_some() { interval.min(AFTER_A_FAILURE) } else { interval }
    }
}

/// The drills of this node: what it remembers of them outlives the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drills {
    /// The one that goes on just now beside the loop, and since when.
    pub running: Option<(SnapshotKey, Timestamp)>,
    /// The last one.
    pub last: Option<Drilled>,
    /// The last one that succeeded.
    pub proved: Option<Drilled>,
    /// So many failed since the agent started.
    #[serde(skip)]
    pub failures: u64,
}

const CUT_OFF: &str = "the agent ended in the middle of it, and not because it was told to";

impl Drills {
    /// As the next agent finds them: one that went on when its agent was killed has failed. Otherwise one that takes its agent with it would be begun
    /// again at once, for ever.
    #[must_use]
    pub fn after_restart(mut self) -> Self {
        if let Some((key, at)) = self.running.take() {
            self.end(Drilled { key, revision: 0, at, failed: Some(CUT_OFF.to_owned()) });
        }
        self
    }

    /// Takes in how one ended.
    pub fn end(&mut self, drilled: Drilled) {
        self.running = None;
        match &drilled.failed {
            None => self.proved = Some(drilled.clone()),
            Some(_) => self.failures += 1,
        }
        self.last = Some(drilled);
    }
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
    /// The restore drills of this node.
    pub drills: Drills,
}

impl SnapshotsView {
    /// Nothing, for want of a store or of a member.
    #[must_use]
    pub fn none(why: &'static str) -> Self {
        let stored = Reading::unknown(why);
        Self { stored, taking: None, taken: None, fetching: None, fetched: None, fetch_failed: None, drills: Drills::default() }
    }
}
