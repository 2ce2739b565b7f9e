//! The next step of a drain.

use std::time::Duration;

use crate::explain::draining as explain;
use crate::time::Timestamp;

use super::{Ending, Escalation, Limits, Pod, Progress, Step, Verdict, View};

/// The number of lists in a row without a pod to end: one that the scheduler bound just before the node was cordoned shows up in the second.
const CLEAN_PASSES: u32 = 2;
/// How long a pod that has ended stays in the list at most: until the kubelet's last report and one more look.
const SLACK: Duration = Duration::from_secs(3);
/// The number of pods named in a sentence.
const NAMED: usize = 3;

/// Decides the next step of a drain.
///
/// # Flow
/// The node is cordoned. Ordinary pods are evicted, critical ones once no other is left, and a refused eviction is tried again after a pause. When the
/// time that is left is just enough for the slowest to end, the rest is deleted or given up, as the policy says. Two clean lists end the drain.
///
/// # Guarantees
/// No step before the node is cordoned (a Node that does not exist needs none), none on an old list, none for a DaemonSet's running pod or a
/// mirror pod, and none after `limits.end`. Pods are named by uid.
///
/// # Assumptions
/// `progress` has absorbed this very view ([`Progress::absorb`]).
#[must_use]
pub fn plan(view: &View, progress: &Progress, limits: &Limits, now: Timestamp) -> Verdict {
    let Some(pods) = view.pods.fresh() else { return without_api(view, progress, limits, now) };
    let left: Vec<&Pod> = pods.iter().filter(|pod| pod.is_to_end()).collect();
    if now >= limits.end && !left.is_empty() {
        return Verdict::GaveUp { message: explain::is_out_of_time(&are(&left)) };
    }
    match view.schedulable.fresh() {
        None => return without_api(view, progress, limits, now),
        Some(Some(true)) if now < limits.end => return goes(Some(Step::Cordon), explain::cordons()),
        // A node that can no longer be cordoned has no pods left here: those were given up above.
        Some(Some(_) | None) => {}
    }
    if left.is_empty() {
        return finished(progress, now >= limits.end);
    }
    end_some(&left, progress, limits, now)
}

/// Waits for the API server or gives up: without it nothing can be evicted. What runs here ends with the machine.
fn without_api(view: &View, progress: &Progress, limits: &Limits, now: Timestamp) -> Verdict {
    let silent = now.since(progress.answered);
    let why = if view.pods.fresh().is_none() { view.pods.why_not_fresh() } else { view.schedulable.why_not_fresh() };
    if now >= limits.end || silent >= limits.patience_without_api {
        return Verdict::GaveUp { message: explain::is_given_up(silent, &why) };
    }
    goes(None, explain::awaits_api_server(&why))
}

fn finished(progress: &Progress, time_is_over: bool) -> Verdict {
    if progress.clean < CLEAN_PASSES && !time_is_over {
        return goes(None, explain::looks_once_more());
    }
    Verdict::Done { message: explain::is_done(progress.most) }
}

/// Ends ordinary pods first, and critical ones once the others have ended, or when they could no longer end in time if they waited longer.
fn end_some(left: &[&Pod], progress: &Progress, limits: &Limits, now: Timestamp) -> Verdict {
    let (critical, ordinary): (Vec<&Pod>, Vec<&Pod>) = left.iter().partition(|pod| pod.critical);
    let reserve = longest(&critical).min(half_of_all(progress, limits));
    let ordinary_end = limits.end - reserve;
    if !ordinary.is_empty() && (critical.is_empty() || now < ordinary_end) {
        return end_these(&ordinary, progress, limits, ordinary_end, now);
    }
    // The ordinary ones that were not ended in their time still have to be ended: all together.
    end_these(left, progress, limits, limits.end, now)
}

fn end_these(pods: &[&Pod], progress: &Progress, limits: &Limits, end: Timestamp, now: Timestamp) -> Verdict {
    let time_left = end.since(now);
    let running: Vec<&Pod> = pods.iter().copied().filter(|pod| pod.deleted_at.is_none()).collect();
    if running.is_empty() {
        return goes(None, explain::awaits_end_of(&names(pods)));
    }
    let protected: Vec<&Pod> = running.iter().copied().filter(|pod| is_refused(pod, progress)).collect();
    // The slowest of those that are still refused ends just in time if it is deleted now.
    let last_call = longest(&protected).min(half_of_all(progress, limits)) + SLACK;
    let escalates = limits.escalation == Escalation::Delete && !protected.is_empty() && time_left <= last_call;
    let candidates = if escalates { &protected } else { &running };
    let due: Vec<&Pod> = candidates.iter().copied().filter(|pod| is_due(pod, progress, limits, escalates, now)).collect();
    let batch: Vec<Ending> = due.iter().take(limits.batch).map(|pod| ending(pod, time_left)).collect();
    if batch.is_empty() {
        return goes(None, waits_for(&protected, &running, progress));
    }
    let (due, gone) = (names(&due), progress.most.saturating_sub(pods.len()));
    match escalates {
        true => goes(Some(Step::Delete(batch)), explain::deletes(&due, gone, progress.most)),
        false => goes(Some(Step::Evict(batch)), explain::evicts(&due, gone, progress.most)),
    }
}

/// Whether a pod may be asked for again. An accepted one is not asked for again soon: the list may be a moment older than the answer.
fn is_due(pod: &Pod, progress: &Progress, limits: &Limits, escalates: bool, now: Timestamp) -> bool {
    match progress.tried.get(&pod.id) {
        None => true,
        Some(tried) if escalates => now.since(tried.at) >= limits.retry.min(Duration::from_secs(1)),
        Some(tried) => now.since(tried.at) >= limits.retry,
    }
}

fn is_refused(pod: &Pod, progress: &Progress) -> bool {
    progress.tried.get(&pod.id).is_some_and(|tried| tried.refused.is_some())
}

fn ending(pod: &Pod, time_left: Duration) -> Ending {
    let room = time_left.saturating_sub(SLACK).max(Duration::from_secs(1));
    Ending { pod: pod.id.clone(), grace: (pod.grace > room).then_some(room) }
}

fn waits_for(protected: &[&Pod], running: &[&Pod], progress: &Progress) -> String {
    let Some(first) = protected.first() else { return explain::awaits_end_of(&names(running)) };
    let why = progress.tried.get(&first.id).and_then(|tried| tried.refused.as_deref()).unwrap_or_default();
    explain::may_not_evict(&names(protected), &why)
}

fn longest(pods: &[&Pod]) -> Duration {
    pods.iter().map(|pod| pod.grace).max().unwrap_or_default()
}

/// One pod with an hour of grace must not take all the time from the others.
fn half_of_all(progress: &Progress, limits: &Limits) -> Duration {
    limits.end.since(progress.began) / 2
}

fn goes(step: Option<Step>, message: String) -> Verdict {
    Verdict::Goes { step, message }
}

fn are(pods: &[&Pod]) -> String {
    format!("{} {}", names(pods), if pods.len() == 1 { "is" } else { "are" })
}

fn names(pods: &[&Pod]) -> String {
    let named: Vec<String> = pods.iter().take(NAMED).map(|pod| pod.id.to_string()).collect();
    match pods.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
