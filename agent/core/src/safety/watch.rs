//! How the gate's memory follows what is observed.

use crate::ids::MemberId;
use crate::observation::{Member, Process, Saved, Taken};
use crate::snapshot::Trigger;
use crate::time::Timestamp;

use super::facts::Facts;
use super::memory::{GateMemory, Learner};
use super::{giving_up, notices};

/// The gate's memory after `before`, now that `f` is seen.
pub(super) fn after(before: &GateMemory, f: &Facts<'_>) -> GateMemory {
    let blind = before.absorbed.and_then(|at| f.now.since(at).checked_sub(f.policy.stale_after * 2));
    let later = |since: Timestamp| since + blind.unwrap_or_default();
    let keep = |holds: bool, since: Option<Timestamp>| holds.then(|| since.unwrap_or(f.now));
    GateMemory {
        absorbed: Some(f.now),
        covering_all: covering_all(before, f),
        // Time that passed while this node was not looking does not count.
        lost_since: keep(is_lost(f), before.lost_since.map(later)),
        learner: learner(before.learner.map(|l| Learner { progress_at: later(l.progress_at), ..l }), f),
        // Another member may have led meanwhile.
        led: led(before.led.filter(|_| blind.is_none()), f),
        nameless: nameless(before.nameless.filter(|_| blind.is_none()), f),
        told_since: keep(notices::is_told_to_leave(f), before.told_since),
    }
}

/// The final snapshot, if it covers all writes. That is decided while etcd runs; once it is stopped, nothing is written any longer.
fn covering_all(before: &GateMemory, f: &Facts<'_>) -> Option<Saved> {
    let Some(Process::Running { since, loopback_only }) = f.seen.local.process.fresh() else { return before.covering_all.clone() };
    let is_later = |taken: &&Taken| taken.trigger == Trigger::Final && taken.since >= *since;
    let taken = f.seen.snapshots.taken.as_ref().filter(is_later)?;
    let writes = !loopback_only && (f.membership().is_ok() || !others_vote(f));
    taken.result.as_ref().ok().filter(|_| !writes).cloned()
}

/// Whether there are other voters, by its own member's list or, without one, by the charter.
fn others_vote(f: &Facts<'_>) -> bool {
    let another = |m: &Member| !m.learner && !f.is_mine(m);
    match f.seen.etcd.local_list.fresh() {
        Some(list) => list.iter().any(another),
        None => f.memory.kept.record.as_ref().is_some_and(|r| r.voters.iter().any(|v| v.instance != *f.me())),
    }
}

/// Whether this node's member answers without a leader, no quorum answers, and by its own list too few voters are left for one.
fn is_lost(f: &Facts<'_>) -> bool {
    let leaderless = giving_up::own_status(f).is_some_and(|status| status.leader.is_none());
    leaderless && f.membership().is_err() && f.seen.etcd.local_list.fresh().is_some() && giving_up::own_list_is_lost(f).is_ok()
}

/// The learner under watch. It makes progress when it is nearer to the leader than ever before, when its agent has more of a snapshot on its disk than ever
/// before, and while it is level with the leader and its agent is there to have it promoted. A reading counts from when it was taken: looking at it twice does
/// not make it a second one.
fn learner(before: Option<Learner>, f: &Facts<'_>) -> Option<Learner> {
    let membership = f.membership().ok()?;
    let listed = membership.learner()?;
    let watch = before.filter(|before| before.member == listed.id);
    let watch = watch.unwrap_or(Learner { member: listed.id, behind: u64::MAX, bytes: 0, progress_at: f.now });
    let agent = f.instance_behind(listed).and_then(|instance| f.peer(&instance));
    let bytes = agent.and_then(|answer| answer.received).unwrap_or_default();
    let more = Some(f.now).filter(|_| bytes > watch.bytes);
    let reading = |id: MemberId| f.seen.etcd.statuses.get(&id).and_then(|status| status.fresh().zip(status.at()));
    let leader = membership.leader.and_then(reading).map(|(leader, _)| leader.index);
    let behind = reading(listed.id).zip(leader).map(|((status, at), index)| (index.saturating_sub(status.applied), at));
    let counts = |lag: u64| lag < watch.behind || (lag <= f.policy.caught_up_lag && agent.is_some());
    let nearer = behind.filter(|(lag, _)| counts(*lag)).map(|(_, at)| at);
    Some(Learner {
        behind: behind.map_or(watch.behind, |(lag, _)| lag.min(watch.behind)),
        bytes: bytes.max(watch.bytes),
        progress_at: watch.progress_at.max(more.unwrap_or_default()).max(nearer.unwrap_or_default()),
        ..watch
    })
}

fn nameless(before: Option<(MemberId, Timestamp)>, f: &Facts<'_>) -> Option<(MemberId, Timestamp)> {
    let never_started = |m: &&Member| !m.learner && m.name.is_none() && m.client_url.is_none() && !m.is_stranger();
    let voter = f.membership().ok()?.members.iter().find(never_started)?.id;
    Some(before.filter(|(known, _)| *known == voter).unwrap_or((voter, f.now)))
}

fn led(before: Option<(MemberId, Timestamp)>, f: &Facts<'_>) -> Option<(MemberId, Timestamp)> {
    let leader = f.membership().ok()?.leader?;
    Some(before.filter(|(known, _)| *known == leader).unwrap_or((leader, f.now)))
}
