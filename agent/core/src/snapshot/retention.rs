//! Which snapshots are worth keeping: all of the last hours, hourly ones for days, daily ones for weeks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::charter::{Origin, Record, State};
use crate::ids::{EtcdClusterId, Generation, SnapshotKey};
use crate::time::Timestamp;

use super::{Listing, Stored, StrayKind};

/// How long snapshots are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// All that are younger are kept.
    pub all: Duration,
    /// Of each hour the newest, if it is younger than this.
    pub hourly: Duration,
    /// Of each day the newest, if it is younger than this.
    pub daily: Duration,
    /// At least this many of the current generation are kept.
    pub at_least: usize,
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Data without a manifest for this long is not an upload that is still running.
const UNFINISHED: Duration = DAY;

impl Default for Retention {
    fn default() -> Self {
        Self { all: HOUR * 6, hourly: DAY * 7, daily: DAY * 35, at_least: 10 }
    }
}

impl Retention {
    /// The snapshots that need not be kept, oldest first. Only the store's times count, and ages are measured from its newest object: a node with a wrong
    /// clock, or a cluster that has taken none for a long time, loses nothing.
    ///
    /// # Guarantees
    /// Never the newest of any generation, never one that `record` names, and of its generation always `at_least`.
    #[must_use]
    pub fn expired(&self, listing: &Listing, record: &Record) -> Vec<SnapshotKey> {
        let Some(now) = latest(listing) else { return Vec::new() };
        let mut generations: BTreeMap<(Generation, EtcdClusterId), Vec<&Stored>> = BTreeMap::new();
        for stored in listing.snapshots.iter().rev() {
            generations.entry((stored.manifest.generation, stored.manifest.etcd_cluster)).or_default().push(stored);
        }
        let of = |((generation, cluster), newest_first): ((Generation, EtcdClusterId), Vec<&Stored>)| {
            let is_current = generation == record.generation && record.etcd_cluster == Some(cluster);
            let least = if is_current { self.at_least } else { 1 };
            self.of_generation(&newest_first, least.max(1), now)
        };
        let named = named(record);
        generations.into_iter().flat_map(of).filter(|key| named != Some(key)).collect()
    }

    fn of_generation(&self, newest_first: &[&Stored], least: usize, now: Timestamp) -> Vec<SnapshotKey> {
        let (mut hours, mut days) = (BTreeSet::new(), BTreeSet::new());
        let mut expired: Vec<SnapshotKey> = Vec::new();
        for (rank, stored) in newest_first.iter().enumerate() {
            let age = now.since(stored.stored_at);
            // Both are asked: the newest of a day is the newest of its hour too.
            let first_of_hour = hours.insert(bucket(stored.stored_at, HOUR)) && age < self.hourly;
            let first_of_day = days.insert(bucket(stored.stored_at, DAY)) && age < self.daily;
            if rank >= least && age >= self.all && !first_of_hour && !first_of_day {
                expired.push(stored.key.clone());
            }
        }
        expired.reverse();
        expired
    }
}

/// Old data that no manifest was ever written for.
#[must_use]
pub fn abandoned(listing: &Listing) -> Vec<String> {
    let Some(now) = latest(listing) else { return Vec::new() };
    let old = listing.strays.iter().filter(|s| s.why == StrayKind::Unfinished && now.since(s.stored_at) >= UNFINISHED);
    old.map(|s| s.at.clone()).collect()
}

fn latest(listing: &Listing) -> Option<Timestamp> {
    let snapshots = listing.snapshots.iter().map(|s| s.stored_at);
    snapshots.chain(listing.strays.iter().map(|s| s.stored_at)).max()
}

fn bucket(at: Timestamp, width: Duration) -> u128 {
    u128::from(at.0) / width.as_millis()
}

/// The snapshot that the charter itself depends on.
fn named(record: &Record) -> Option<&SnapshotKey> {
    match (&record.state, &record.origin) {
        (State::Retired { key, .. }, _) | (_, Origin::Snapshot { key }) => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
