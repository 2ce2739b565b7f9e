//! How long each state has held.

use std::time::Duration;

use super::hooks::Actions;
use crate::cadence;
use crate::ids::{InstanceId, MemberId};
use crate::memory::{Admission, EffortWatch, Ending, Leave, LocalWatch, Memory, QuorumWatch, ServerWatch};
use crate::observation::{DataClaim, Observation, PeerAnswer, Process};
use crate::planner;
use crate::policy::Policy;
use crate::reading::Reading;
use crate::situation::Situation;
use crate::time::Timestamp;

/// A start may take this many times as long as an answer.
const START_PATIENCE: u32 = 10;

/// The time that a start is given doubles with each restart in vain, this many times at most.
const MOST_DOUBLINGS: u32 = 6;

/// A process that does this much in a second works: a twentieth of a processor, or 320 KiB read or written.
const WORK_PER_SECOND: u128 = 5;

/// An agent stands in for the same silent one again after this many times the patience of a wait.
const STANDS_IN_AGAIN_AFTER: u32 = 4;

/// Takes in what holds now. Everything is derived before any of it is remembered, so the order of the lines below does not matter.
pub(super) fn absorb(memory: &mut Memory, seen: &Observation, policy: &Policy, now: Timestamp) {
    let is_departing = Situation::new(seen, memory, policy, now).departure().is_some();
    absorb_leave(memory, is_departing, now);
    let s = Situation::new(seen, memory, policy, now);
    let (quorum, local, servers) = (quorum(&s), local(&s), servers(&s));
    let (may_claim, joining) = (keep(planner::may_claim(&s), memory.may_claim, now), joining(&s));
    let fast_poll_since = keep(cadence::awaits_aws(&s), memory.asked.fast_poll_since, now);
    let actions = Actions::of(&s);
    memory.quorum = quorum;
    memory.local = local;
    memory.servers = servers;
    (memory.may_claim, memory.joining, memory.asked.fast_poll_since) = (may_claim, joining, fast_poll_since);
    actions.absorb(memory, seen, now);
    memory.backoff.retain(|_, at| now < *at);
    absorb_refusals(memory, seen, policy, now);
}

fn keep(holds: bool, since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    holds.then(|| since.unwrap_or(now))
}

fn absorb_leave(memory: &mut Memory, is_departing: bool, now: Timestamp) {
    if is_departing {
        memory.leaving.get_or_insert_with(|| Leave::begun(now));
        return;
    }
    memory.leaving = None;
    memory.ending = match memory.ending {
        Ending::Retiring => Ending::None,
        Ending::Saved => Ending::Stopped,
        other => other,
    };
}

fn quorum(s: &Situation<'_>) -> QuorumWatch {
    let before = &s.memory.quorum;
    QuorumWatch {
        led: before.led,
        unattended: unattended(s),
        stood_in: before.stood_in.filter(|(leader, at)| lasts(s, *leader, *at)),
        learner: planner::watched_learner(s),
        unstarted: unstarted(s),
        lost_since: keep(planner::loses_quorum_for_good(s), before.lost_since, s.now),
        absent_since: keep(s.runs() && s.membership().is_none(), before.absent_since, s.now),
    }
}

/// The leader without an agent, and since when it has been the same one.
fn unattended(s: &Situation<'_>) -> Option<(MemberId, Timestamp)> {
    let leader = s.unattended_leader()?.id;
    Some(s.memory.quorum.unattended.filter(|(known, _)| *known == leader).unwrap_or((leader, s.now)))
}

fn unstarted(s: &Situation<'_>) -> Option<(MemberId, Timestamp)> {
    let voter = s.membership()?.unstarted_voter()?.id;
    Some(s.memory.quorum.unstarted.filter(|(known, _)| *known == voter).unwrap_or((voter, s.now)))
}

/// Whether this agent keeps in mind that it took over from `leader`: until that one's agent is heard again, and for long enough that nothing moves to and
/// fro.
fn lasts(s: &Situation<'_>, leader: MemberId, at: Timestamp) -> bool {
    let instance = s.membership().and_then(|m| m.get(leader)).and_then(|m| s.instance_of(m));
    let heard = instance.is_some_and(|i| s.peer(&i).is_some());
    !heard && s.now.since(at) < s.policy.wait_patience * STANDS_IN_AGAIN_AFTER
}

fn local(s: &Situation<'_>) -> LocalWatch {
    let before = &s.memory.local;
    let effort = effort(s);
    let starts = before.starts.iter().copied().filter(|at| s.now.since(*at) < s.policy.broken_window).collect();
    LocalWatch {
        holds: own_member(s).map(|id| before.holds.filter(|(known, _)| *known == id).unwrap_or((id, s.now))),
        starts,
        refused: before.refused,
        silent_since: keep(runs_silently(s, &effort), before.silent_since, s.now),
        answered: if answers(s) { Some(s.now) } else { before.answered },
        effort,
        restarts_in_vain: if answers(s) { 0 } else { before.restarts_in_vain },
    }
}

fn own_member(s: &Situation<'_>) -> Option<MemberId> {
    s.data().and_then(|d| d.member)
}

fn answers(s: &Situation<'_>) -> bool {
    own_member(s).is_some_and(|id| s.status(id).is_some())
}

/// A member that has not answered since its start may be replaying a large database, or receiving one: it is given time for as long as it makes progress, and
/// more after each restart in vain.
fn runs_silently(s: &Situation<'_>, effort: &EffortWatch) -> bool {
    let Some(Process::Running { since, .. }) = s.seen.local.process.fresh() else { return false };
    let has_answered = s.memory.local.answered.is_some_and(|at| at >= *since);
    let standstill = effort.worked.max(effort.receiving).max(Some(*since)).map_or(Duration::ZERO, |at| s.now.since(at));
    let longer = 1 << s.memory.local.restarts_in_vain.min(MOST_DOUBLINGS);
    !answers(s) && (has_answered || standstill > s.policy.frozen_after * START_PATIENCE * longer)
}

/// Whether its process works and whether a snapshot comes in. An etcd that stands still uses a hundredth of a processor for its timers.
fn effort(s: &Situation<'_>) -> EffortWatch {
    let Some(Process::Running { since, .. }) = s.seen.local.process.fresh() else { return EffortWatch::default() };
    let before = Some(s.memory.local.effort).filter(|before| before.work.is_none_or(|(_, at)| at >= *since)).unwrap_or_default();
    let seen = s.seen.local.effort;
    let works = |(work, at): (u64, Timestamp)| {
        let more = seen.work.unwrap_or_default().saturating_sub(work);
        u128::from(more) * 1000 >= WORK_PER_SECOND * s.now.since(at).as_millis().max(1)
    };
    let received = seen.received.unwrap_or_default();
    EffortWatch {
        work: seen.work.map(|work| (work, s.now)),
        worked: if before.work.is_some_and(works) { Some(s.now) } else { before.worked },
        received: received.max(before.received),
        receiving: if received > before.received { Some(s.now) } else { before.receiving },
    }
}

fn joining(s: &Situation<'_>) -> Duration {
    let elapsed = s.memory.absorbed.map_or(Duration::ZERO, |at| s.now.since(at));
    let votes = s.my_member().is_some_and(|m| !m.learner);
    let receives = s.memory.local.effort.receiving.is_some_and(|at| s.now.since(at) <= s.policy.stale_after);
    match planner::is_up_to_this_node(s) {
        // One that stays out by an order, or because it is detached, is not joining: its time begins when it is to join.
        _ if s.departure().is_some() => Duration::ZERO,
        // What the leader sends takes its time, and giving up would begin it again.
        true if receives => s.memory.joining,
        true => s.memory.joining + elapsed,
        false if votes => Duration::ZERO,
        false => s.memory.joining,
    }
}

fn servers(s: &Situation<'_>) -> ServerWatch {
    let before = &s.memory.servers;
    let admission = planner::admission_now(s);
    let node = &s.seen.kubernetes.node;
    ServerWatch {
        seeks: planner::seeks_admission(s),
        passed_over: given_up(s, admission.as_ref()).or_else(|| before.passed_over.clone()),
        admission,
        callers: before.callers.clone(),
        api_answered: node.fresh().and(node.at()).or(before.api_answered),
    }
}

/// The server that this agent had admitted and, past its patience, no longer does.
fn given_up(s: &Situation<'_>, admission: Option<&Admission>) -> Option<InstanceId> {
    let before = s.memory.servers.admission.as_ref().filter(|before| admission != Some(before))?;
    (s.now.since(before.since) >= s.policy.learner_patience).then(|| before.instance.clone())
}

/// Remembers refusals: this node's own, and when a leaver last heard of one, because a launch refused for its version lasts only seconds.
fn absorb_refusals(memory: &mut Memory, seen: &Observation, policy: &Policy, now: Timestamp) {
    let refusal = planner::refusal(&Situation::new(seen, memory, policy, now));
    let before = memory.local.refused;
    memory.local.refused = refusal.map(|why| before.filter(|(known, _)| *known == why).unwrap_or((why, now)));
    let newcomer = |answer: &PeerAnswer| answer.refused.is_some() && answer.data == DataClaim::None;
    let heard = seen.peers.values().filter(|reading| reading.fresh().is_some_and(newcomer)).filter_map(Reading::at).max();
    if let Some(leave) = &mut memory.leaving {
        leave.newcomer_refused = leave.newcomer_refused.max(heard);
    }
}
