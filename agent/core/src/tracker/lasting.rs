//! How long each state has held.

use std::time::Duration;

use super::hooks::Actions;
use crate::cadence;
use crate::ids::{InstanceId, MemberId};
use crate::memory::{Admission, Ending, Leave, LocalWatch, Memory, QuorumWatch, ServerWatch};
use crate::observation::{DataClaim, Observation, PeerAnswer, Process};
use crate::planner;
use crate::policy::Policy;
use crate::reading::Reading;
use crate::situation::Situation;
use crate::time::Timestamp;

/// A start may take this many times as long as an answer.
const START_PATIENCE: u32 = 10;

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
        lost_since: keep(planner::loses_quorum_for_good(s), before.lost_since, s.now),
        absent_since: keep(s.runs() && s.membership().is_none(), before.absent_since, s.now),
    }
}

/// The leader without an agent, and since when it has been the same one.
fn unattended(s: &Situation<'_>) -> Option<(MemberId, Timestamp)> {
    let leader = s.unattended_leader()?.id;
    Some(s.memory.quorum.unattended.filter(|(known, _)| *known == leader).unwrap_or((leader, s.now)))
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
    let starts = before.starts.iter().copied().filter(|at| s.now.since(*at) < s.policy.broken_window).collect();
    LocalWatch {
        holds: own_member(s).map(|id| before.holds.filter(|(known, _)| *known == id).unwrap_or((id, s.now))),
        starts,
        refused: before.refused,
        silent_since: keep(runs_silently(s), before.silent_since, s.now),
        answered: if answers(s) { Some(s.now) } else { before.answered },
    }
}

fn own_member(s: &Situation<'_>) -> Option<MemberId> {
    s.data().and_then(|d| d.member)
}

fn answers(s: &Situation<'_>) -> bool {
    own_member(s).is_some_and(|id| s.status(id).is_some())
}

fn runs_silently(s: &Situation<'_>) -> bool {
    let Some(Process::Running { since, .. }) = s.seen.local.process.fresh() else { return false };
    // A member that has not answered since its start may be replaying a large database.
    let has_answered = s.memory.local.answered.is_some_and(|at| at >= *since);
    !answers(s) && (has_answered || s.now.since(*since) > s.policy.frozen_after * START_PATIENCE)
}

fn joining(s: &Situation<'_>) -> Duration {
    let elapsed = s.memory.absorbed.map_or(Duration::ZERO, |at| s.now.since(at));
    let votes = s.my_member().is_some_and(|m| !m.learner);
    match planner::is_up_to_this_node(s) {
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
