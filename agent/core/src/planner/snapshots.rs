//! Snapshots: one each interval by the agent beside the leader, one before each change of the membership, and the end of those that need not be
//! kept. They are taken beside the loop, so that nothing waits for one but a change, and that for a bounded time.

use std::borrow::Cow;
use std::time::Duration;

use crate::charter::Record;
use crate::memory::BackoffKey;
use crate::observation::Taken;
use crate::plan::{NodeStep, Step};
use crate::report::Phase;
use crate::situation::Situation;
use crate::snapshot::{SnapshotOrder, Trigger, retention};

use super::decision::Decision;
use super::leave;

/// Deletions of one step: each is two calls.
const PRUNED_AT_ONCE: usize = 8;

/// Takes one when the newest is as old as the interval.
pub(super) fn due(s: &Situation<'_>) -> Option<Decision> {
    let record = covered_record(s).filter(|_| s.leads())?;
    s.seen.snapshots.stored.fresh()?;
    let last = s.newest_snapshot_at();
    let is_due = last.is_none_or(|at| s.now.since(at) >= s.policy.snapshots.interval);
    if !is_due || s.seen.snapshots.taking.is_some() || has_just_failed(s).is_some() {
        return None;
    }
    let says = match last {
        Some(at) => format!("takes a snapshot, because the newest is {} old", minutes(s.now.since(at))),
        None => format!("takes the first snapshot of generation {}", record.generation),
    };
    take(s, record, Trigger::Interval, says.into())
}

/// Deletes what need not be kept.
pub(super) fn prune(s: &Situation<'_>) -> Option<Decision> {
    let record = covered_record(s).filter(|_| s.leads() && !s.memory.waits(BackoffKey::PruneSnapshots, s.now))?;
    let listing = s.seen.snapshots.stored.fresh()?;
    let mut keys = s.policy.snapshots.retention.expired(listing, record);
    let mut abandoned = retention::abandoned(listing);
    if keys.is_empty() && abandoned.is_empty() {
        return None;
    }
    keys.truncate(PRUNED_AT_ONCE);
    abandoned.truncate(PRUNED_AT_ONCE);
    let old = (!keys.is_empty()).then(|| format!("{} snapshots that need not be kept", keys.len()));
    let broken = (!abandoned.is_empty()).then(|| format!("the remains of {} uploads that broke off", abandoned.len()));
    let says = format!("deletes {}", old.into_iter().chain(broken).collect::<Vec<_>>().join(" and "));
    Some(Decision::act(Phase::Voter, Step::PruneSnapshots { keys, abandoned }, says))
}

/// Has the newest one restored on trial, if that is asked for and the last time is long ago. It is begun only when nothing else is to be done, and goes on
/// beside the loop: no change of the membership waits for it.
pub(super) fn drill(s: &Situation<'_>) -> Option<Decision> {
    let interval = s.policy.snapshots.drill_interval?;
    let record = covered_record(s).filter(|_| s.drills() && s.departure().is_none() && !s.memory.waits(BackoffKey::Drill, s.now))?;
    let view = &s.seen.snapshots;
    if view.drills.running.is_some() || view.drills.last.as_ref().is_some_and(|last| s.now < last.next(interval)) {
        return None;
    }
    let newest = view.stored.fresh()?.newest_of(record.generation, record.etcd_cluster?)?;
    let says = match &view.drills.last {
        Some(last) if last.failed.is_some() => format!("restores snapshot {} on trial, because the last trial failed", newest.key),
        Some(last) => {
            format!("restores snapshot {} on trial, because the last trial was {} ago", newest.key, hours(s.now.since(last.at)))
        }
        None => format!("restores snapshot {} on trial, for the first time here", newest.key),
    };
    Some(Decision::act(Phase::Voter, Step::DrillSnapshot { key: newest.key.clone() }, says))
}

/// What stands between a change of the membership and the snapshot before it.
enum Cover {
    /// A recent one is there.
    Is,
    /// It has to be taken, or is being taken.
    Lacks(Box<Decision>),
    /// There is none, for this reason, and the change goes on without it.
    GoesWithout(Cow<'static, str>),
}

/// A change of the membership waits for a snapshot from just before it, if one can be had in time.
pub(super) fn before_change(s: &Situation<'_>, decision: Decision) -> Decision {
    if !decision.step.as_ref().is_some_and(changes_membership) {
        return decision;
    }
    match cover(s) {
        Cover::Is => decision,
        Cover::GoesWithout(why) => Decision { says: format!("{}; without a snapshot before: {why}", decision.says).into(), ..decision },
        // The lock is neither taken for a snapshot nor kept: it takes as long as the store does, and the agent beside the leader may need the lock
        // meanwhile. Only a server that was let in adds its member under it just now.
        Cover::Lacks(snapshot) => Decision {
            says: format!("{}; {} before", decision.says, snapshot.says).into(),
            lock: decision.lock.filter(|_| s.holds_lock() && s.memory.servers.admission.is_some()),
            phase: decision.phase,
            until: snapshot.until.or(decision.until),
            ..*snapshot
        },
    }
}

/// The same for a change that another makes as soon as it is admitted: what is to be done before, if anything is.
pub(super) fn before_admission(s: &Situation<'_>) -> Option<Decision> {
    match cover(s) {
        Cover::Is | Cover::GoesWithout(_) => None,
        Cover::Lacks(snapshot) => Some(*snapshot),
    }
}

fn changes_membership(step: &Step) -> bool {
    matches!(
        step,
        Step::AddLearner { .. } | Step::Promote { .. } | Step::RemoveMember { .. } | Step::Node(NodeStep::AnnotateRemoval { .. })
    )
}

fn cover(s: &Situation<'_>) -> Cover {
    let policy = &s.policy.snapshots;
    let Some(record) = covered_record(s) else { return Cover::Is };
    if s.newest_snapshot_at().is_some_and(|at| s.now.since(at) <= policy.recent) {
        return Cover::Is;
    }
    if s.seen.snapshots.stored.fresh().is_none() {
        return Cover::GoesWithout(format!("the store's cannot be listed: {}", s.seen.snapshots.stored.why_not_fresh()).into());
    }
    if is_short_of_time(s) {
        return Cover::GoesWithout("the time to leave is short".into());
    }
    if let Some(taking) = s.seen.snapshots.taking {
        let until = taking.since + policy.change_patience;
        return match s.now < until {
            true => {
                let wait = Decision::wait(Phase::Voter, format!("waits for the snapshot{}", progress(taking.bytes, taking.of)));
                // A small database is there in no time.
                let pause = if s.now.since(taking.since) < s.policy.cycle { s.policy.retry / 5 } else { s.policy.retry };
                Cover::Lacks(Box::new(wait.again_in(pause).until(Some(until))))
            }
            false => Cover::GoesWithout(format!("it takes longer than {} s", policy.change_patience.as_secs()).into()),
        };
    }
    if let Some(why) = has_just_failed(s) {
        return Cover::GoesWithout(why);
    }
    match take(s, record, Trigger::Change, "takes a snapshot".into()) {
        Some(decision) => Cover::Lacks(Box::new(decision)),
        None => Cover::GoesWithout("no voter answers that it could be read from".into()),
    }
}

fn take(s: &Situation<'_>, record: &Record, trigger: Trigger, says: Cow<'static, str>) -> Option<Decision> {
    let order = SnapshotOrder::of(record, s.via_any()?, trigger)?;
    Some(Decision::act(Phase::Voter, Step::TakeSnapshot(order), says))
}

/// The record of the cluster that snapshots are taken of: established, and a quorum of it answers.
fn covered_record<'a>(s: &Situation<'a>) -> Option<&'a Record> {
    let record = s.record_to_snapshot()?;
    s.membership().filter(|m| record.etcd_cluster == Some(m.cluster)).map(|_| record)
}

fn has_just_failed(s: &Situation<'_>) -> Option<Cow<'static, str>> {
    if s.memory.waits(BackoffKey::Snapshot, s.now) {
        return Some("it could not be begun a moment ago".into());
    }
    match &s.seen.snapshots.taken {
        Some(Taken { result: Err(why), at, .. }) if s.now.since(*at) < s.policy.snapshots.retry => Some(why.clone().into()),
        _ => None,
    }
}

/// A leave is not put off for a snapshot once its own time is near.
fn is_short_of_time(s: &Situation<'_>) -> bool {
    s.departure().is_some_and(|departure| !leave::has_time(s, &departure, leave::reserve(s)))
}

fn progress(bytes: u64, of: Option<u64>) -> String {
    match of {
        Some(of) => format!(" ({} of {} MiB)", bytes >> 20, of >> 20),
        None => String::new(),
    }
}

fn minutes(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn hours(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..7200 => minutes(Duration::from_secs(seconds)),
        seconds => format!("{} h", seconds / 3600),
    }
}
