//! Snapshots: what the store holds, and what this agent is doing with them.

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
    /// Bytes in total, as etcd said at the start.
    pub of: Option<u64>,
}

/// A snapshot in the store, as known to the agent that took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its key.
    pub key: SnapshotKey,
    /// The last revision in it.
    pub revision: u64,
}

/// The outcome of the last snapshot that this agent took.
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
    /// Bytes in total.
    pub of: u64,
}

/// Why a snapshot did not get onto this disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// It is not what its manifest says: it can never be used.
    Corrupt(String),
    /// The store or the disk failed: another try may succeed.
    Failed(String),
}

/// The outcome of restoring a snapshot on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// Which.
    pub key: SnapshotKey,
    /// Its revision, as its manifest says; 0 if the manifest could not be read.
    pub revision: u64,
    /// When it ended.
    pub at: Timestamp,
    /// Why it failed, if it did.
    pub failed: Option<String>,
}

/// A failed drill is tried again after this time, or after the interval if that is shorter. It may have failed for lack of space or of the store, and
/// each try reads all of a snapshot.
const AFTER_A_FAILURE: Duration = Duration::from_secs(3600);

impl Drilled {
    /// When the next one is due, with one each `interval`.
    #[must_use]
    pub fn next(&self, interval: Duration) -> Timestamp {
        self.at + if self.failed.is_some() { interval.min(AFTER_A_FAILURE) } else { interval }
    }
}

/// The drills of this node. The agent's memory of them survives its restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drills {
    /// The one that is running now beside the loop, and since when.
    pub running: Option<(SnapshotKey, Timestamp)>,
    /// The last one.
    pub last: Option<Drilled>,
    /// The last one that succeeded.
    pub proved: Option<Drilled>,
    /// The number that failed since the agent started.
    #[serde(skip)]
    pub failures: u64,
}

const CUT_OFF: &str = "the agent ended in the middle of it, and not because it was told to";

impl Drills {
    /// The drills as the next agent finds them: one that was running when its agent was killed has failed. Otherwise one that kills its agent would be begun
    /// again at once, for ever.
    #[must_use]
    pub fn after_restart(mut self) -> Self {
        if let Some((key, at)) = self.running.take() {
            self.end(Drilled { key, revision: 0, at, failed: Some(CUT_OFF.to_owned()) });
        }
        self
    }

    /// Takes in the end of a drill.
    pub fn end(&mut self, drilled: Drilled) {
        self.running = None;
        match &drilled.failed {
            None => self.proved = Some(drilled.clone()),
            Some(_) => self.failures += 1,
        }
        self.last = Some(drilled);
    }
}

/// Everything that is seen of snapshots.
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
    /// The snapshot on this disk, complete and verified.
    pub fetched: Option<SnapshotKey>,
    /// Why the last fetch failed, if it did, and when.
    pub fetch_failed: Option<(SnapshotKey, Timestamp, FetchFailure)>,
    /// The restore drills of this node.
    pub drills: Drills,
}

impl SnapshotsView {
    /// The view where there is no store or no member.
    #[must_use]
    pub fn none(why: &'static str) -> Self {
        let stored = Reading::unknown(why);
        Self { stored, taking: None, taken: None, fetching: None, fetched: None, fetch_failed: None, drills: Drills::default() }
    }
}
