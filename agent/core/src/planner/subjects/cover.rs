//! A snapshot from just before each change of the membership. It is taken beside the loop, so only that change waits for it, and only for a bounded time.

use crate::charter::Record;
use crate::explain::Message;
use crate::explain::snapshots::{self as explain, missing};
use crate::memory::BackoffKey;
use crate::observation::Taken;
use crate::plan::{NodeStep, Step};
use crate::report::Phase;
use crate::situation::Situation;
use crate::snapshot::{SnapshotOrder, Trigger};

use crate::planner::decision::Decision;
use crate::planner::subjects::departing;

/// What stands between a change of the membership and the snapshot before it.
enum Cover {
    /// There is a recent one.
    Is,
    /// It has to be taken, or is being taken.
    Lacks(Box<Decision>),
    /// There is none, for this reason, and the change is made without it.
    GoesWithout(Message),
}

/// Puts a snapshot before a change of the membership, if one can be had in time.
pub(in crate::planner) fn before_change(s: &Situation<'_>, decision: Decision) -> Decision {
    if !decision.step.as_ref().is_some_and(changes_membership) {
        return decision;
    }
    match cover(s) {
        Cover::Is => decision,
        Cover::GoesWithout(why) => {
            let message = explain::goes_without(&decision.message, &why);
            decision.told(message)
        }
        // The lock is neither taken nor kept for a snapshot, which takes as long as the store does: the agent beside the leader may need the lock
        // meanwhile. It is kept only for an admitted server, which adds its member under it just now.
        Cover::Lacks(snapshot) => Decision {
            message: explain::comes_before(&decision.message, &snapshot.message),
            lock: decision.lock.filter(|_| s.holds_lock() && s.memory.servers.admission.is_some()),
            phase: decision.phase,
            until: snapshot.until.or(decision.until),
            ..*snapshot
        },
    }
}

/// What is to be done before a change that another node makes as soon as it is admitted, if anything.
pub(in crate::planner) fn before_admission(s: &Situation<'_>) -> Option<Decision> {
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
        return Cover::GoesWithout(missing::cannot_be_listed(&s.seen.snapshots.stored.why_not_fresh()));
    }
    if is_short_of_time(s) {
        return Cover::GoesWithout(missing::time_is_short());
    }
    if let Some(taking) = s.seen.snapshots.taking {
        let until = taking.since + policy.change_patience;
        return match s.now < until {
            true => {
                let wait = Decision::wait(Phase::Voter, explain::is_taken(&taking));
                // A small database is saved in no time.
                let pause = if s.now.since(taking.since) < s.policy.cycle { s.policy.retry / 5 } else { s.policy.retry };
                Cover::Lacks(Box::new(wait.again_in(pause).until(Some(until))))
            }
            false => Cover::GoesWithout(missing::takes_too_long(policy.change_patience)),
        };
    }
    if let Some(why) = has_just_failed(s) {
        return Cover::GoesWithout(why);
    }
    match take(s, record, Trigger::Change, explain::takes_one()) {
        Some(decision) => Cover::Lacks(Box::new(decision)),
        None => Cover::GoesWithout(missing::no_voter_answers()),
    }
}

pub(in crate::planner) fn take(s: &Situation<'_>, record: &Record, trigger: Trigger, message: Message) -> Option<Decision> {
    let order = SnapshotOrder::of(record, s.via_any()?, trigger)?;
    Some(Decision::act(Phase::Voter, Step::TakeSnapshot(order), message))
}

/// The record of the cluster to take snapshots of: it is established, and a quorum of it answers.
pub(in crate::planner) fn covered_record<'a>(s: &Situation<'a>) -> Option<&'a Record> {
    let record = s.record_to_snapshot()?;
    s.membership().filter(|m| record.etcd_cluster == Some(m.cluster)).map(|_| record)
}

pub(in crate::planner) fn has_just_failed(s: &Situation<'_>) -> Option<Message> {
    if s.memory.waits(BackoffKey::Snapshot, s.now) {
        return Some(missing::could_not_begin());
    }
    match &s.seen.snapshots.taken {
        Some(Taken { result: Err(why), at, .. }) if s.now.since(*at) < s.policy.snapshots.retry => Some(why.clone().into()),
        _ => None,
    }
}

/// A leave is not put off for a snapshot once its own time is near.
fn is_short_of_time(s: &Situation<'_>) -> bool {
    s.departure().is_some_and(|departure| !departing::has_time(s, &departure, departing::reserve(s)))
}
