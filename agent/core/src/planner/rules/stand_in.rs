//! Standing in for the leader's agent. Much of the work is done by the agent beside etcd's leader alone; where that agent has ended and its etcd leads on, a
//! voter whose agent lives takes the leadership over.

use crate::explain::duties;
use crate::memory::BackoffKey;
use crate::observation::{Member, Membership};
use crate::plan::{LockPurpose, Step, Via};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;

/// Has etcd's leader hand over to this node's voter once the agent beside it has been silent for long. It does so once: agents that cannot hear each other
/// would move the leadership to and fro.
pub(in crate::planner) fn take_over(s: &Situation<'_>) -> Option<Decision> {
    let (membership, leader) = (s.membership()?, s.unattended_leader()?);
    let me = s.my_member().filter(|m| !m.learner && s.is_healthy(m.id))?;
    let (_, since) = s.memory.quorum.unattended.filter(|(member, _)| *member == leader.id)?;
    // Each agent ahead of this one has its own time: it may be paused, or fail.
    let turn = u32::try_from(ahead_of(s, membership, leader, me)).unwrap_or(u32::MAX).saturating_add(1);
    if s.now.since(since) < s.policy.stand_in_after.saturating_mul(turn) {
        return None;
    }
    let wait = |wait| Some(Decision::wait(Phase::Voter, wait).again_in(s.policy.cycle));
    if s.memory.quorum.stood_in.is_some_and(|(member, _)| member == leader.id) {
        return wait(duties::leads_again_without_agent(leader));
    }
    if s.memory.waits(BackoffKey::MoveLeader, s.now) {
        return wait(duties::leader_keeps_the_lead(leader));
    }
    let via = Via::new(leader.id, leader.client_url?);
    let message = duties::stands_in(leader);
    Some(Decision::act(Phase::Voter, Step::MoveLeader { via, to: me.id }, message).under_lock(LockPurpose::StandIn))
}

/// The number of voters with a lower id whose etcd and agent answer and stay.
fn ahead_of(s: &Situation<'_>, membership: &Membership, leader: &Member, me: &Member) -> usize {
    let ahead = membership.voters().filter(|m| m.id < me.id && m.id != leader.id && s.is_healthy(m.id));
    ahead.filter_map(|m| s.instance_of(m)).filter(|i| s.peer(i).is_some() && !s.is_leaving(i)).count()
}
