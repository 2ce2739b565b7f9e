//! Snapshots: which is the newest, which are refused, and whether one holds all data.

use crate::memory::Memory;
use crate::observation::{FetchFailure, Observation, Process, Taken};
use crate::planner;
use crate::policy::Policy;
use crate::situation::Situation;
use crate::snapshot::Trigger;
use crate::time::Timestamp;

/// Takes in what is known of the store's snapshots and of the one that was taken last.
pub(super) fn absorb(memory: &mut Memory, seen: &Observation, policy: &Policy, now: Timestamp) {
    absorb_stored(memory, seen, now);
    absorb_covering_all(memory, seen, policy, now);
}

/// Remembers since when the newest snapshot has been there. The time that the store gives counts only at the first look, and never as later than now:
/// otherwise a node whose clock is a day off would take no snapshot for a day, or one after the other.
fn absorb_stored(memory: &mut Memory, seen: &Observation, now: Timestamp) {
    let watch = &mut memory.snapshots;
    if let Some((key, _, FetchFailure::Corrupt(why))) = &seen.snapshots.fetch_failed {
        watch.refused.insert(key.clone(), why.clone());
    }
    let Some(listing) = seen.snapshots.stored.fresh() else { return };
    let current = memory.kept.record.as_ref().and_then(|r| Some((r.generation, r.etcd_cluster?)));
    let newest = current.and_then(|(generation, cluster)| listing.newest_of(generation, cluster));
    watch.newest = newest.map(|stored| match &watch.newest {
        Some((key, at)) if *key == stored.key => (key.clone(), *at),
        _ if watch.listed => (stored.key.clone(), now),
        _ => (stored.key.clone(), stored.stored_at.min(now)),
    });
    watch.listed = true;
}

/// Remembers the snapshot that holds all data: it was begun after the last client was stopped, and is valid until one may be served again.
fn absorb_covering_all(memory: &mut Memory, seen: &Observation, policy: &Policy, now: Timestamp) {
    let Some(Process::Running { since, .. }) = seen.local.process.fresh() else { return };
    let nobody_is_served = planner::nobody_is_served(&Situation::new(seen, memory, policy, now));
    let covers = |t: &&Taken| t.trigger == Trigger::Final && t.since >= *since;
    let saved = seen.snapshots.taken.as_ref().filter(covers).and_then(|t| t.result.as_ref().ok());
    memory.snapshots.covering_all = saved.filter(|_| nobody_is_served).cloned();
}
