//! Snapshots that no change waits for: one each interval by the agent beside the leader, the trial restore of one, and deleting those no longer needed.

use crate::explain::snapshots as explain;
use crate::memory::BackoffKey;
use crate::observation::Alarm;
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::Situation;
use crate::snapshot::{Trigger, retention};

use crate::planner::decision::Decision;
use crate::planner::subjects::cover;

/// The number of deletions in one step: each is two calls.
const PRUNED_AT_ONCE: usize = 8;

/// Takes a snapshot when the newest is as old as the interval.
pub(in crate::planner) fn due(s: &Situation<'_>) -> Option<Decision> {
    let record = cover::covered_record(s).filter(|_| s.leads())?;
    s.seen.snapshots.stored.fresh()?;
    let last = s.newest_snapshot_at();
    let is_due = last.is_none_or(|at| s.now.since(at) >= s.policy.snapshots.interval);
    if !is_due || s.seen.snapshots.taking.is_some() || cover::has_just_failed(s).is_some() {
        return None;
    }
    let message = match last {
        Some(at) => explain::takes_when_due(s.now.since(at)),
        None => explain::takes_the_first(record.generation),
    };
    cover::take(s, record, Trigger::Interval, message)
}

/// Deletes snapshots that need not be kept.
pub(in crate::planner) fn prune(s: &Situation<'_>) -> Option<Decision> {
    let record = cover::covered_record(s).filter(|_| s.leads() && !s.memory.waits(BackoffKey::PruneSnapshots, s.now))?;
    // One from before the data differed may be the last that is good.
    if s.has_alarm(Alarm::Corrupt) {
        return None;
    }
    let listing = s.seen.snapshots.stored.fresh()?;
    let mut keys = s.policy.snapshots.retention.expired(listing, record);
    let mut abandoned = retention::abandoned(listing);
    if keys.is_empty() && abandoned.is_empty() {
        return None;
    }
    keys.truncate(PRUNED_AT_ONCE);
    abandoned.truncate(PRUNED_AT_ONCE);
    let message = explain::prunes(keys.len(), abandoned.len());
    Some(Decision::act(Phase::Voter, Step::PruneSnapshots { keys, abandoned }, message))
}

/// Has the newest snapshot restored on trial, if that is configured and the last trial is long ago. It is begun only when nothing else is to be done, and
/// runs beside the loop: no change of the membership waits for it.
pub(in crate::planner) fn drill(s: &Situation<'_>) -> Option<Decision> {
    let interval = s.policy.snapshots.drill_interval?;
    let record = cover::covered_record(s).filter(|_| s.drills() && s.departure().is_none() && !s.memory.waits(BackoffKey::Drill, s.now))?;
    let view = &s.seen.snapshots;
    if view.drills.running.is_some() || view.drills.last.as_ref().is_some_and(|last| s.now < last.next(interval)) {
        return None;
    }
    let newest = view.stored.fresh()?.newest_of(record.generation, record.etcd_cluster?)?;
    let message = match &view.drills.last {
        Some(last) if last.failed.is_some() => explain::trial_after_a_failure(&newest.key),
        Some(last) => explain::trial_is_due(&newest.key, s.now.since(last.at)),
        None => explain::first_trial(&newest.key),
    };
    Some(Decision::act(Phase::Voter, Step::DrillSnapshot { key: newest.key.clone() }, message))
}
