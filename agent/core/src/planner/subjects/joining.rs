//! A join: whether it is wanted at all, what it waits for, and whether its time is over.

use crate::charter::State;
use crate::explain::{joining as explain, removing};
use crate::observation::{Alarm, Lock, Member, Membership, PeerAnswer};
use crate::quorum;
use crate::report::Phase;
use crate::situation::{Charter, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{admission, change, phase, worker};

/// Whether this is a spare server. It cannot read etcd, so it relies on what a voter reports of the servers that vote and answer.
fn is_spare_server(s: &Situation<'_>) -> bool {
    let Some(record) = s.record().filter(|r| r.state == State::Established && !r.lists(s.me())) else { return false };
    let is_server = s.ways().is_let_in && s.disk_is_empty() && s.is_stopped();
    let limit = s.policy.max_voters + usize::from(record.voters.iter().any(|v| s.is_leaving(&v.instance)));
    let full = |p: &PeerAnswer| p.quorum.is_some() && p.quorum == record.etcd_cluster && p.control_plane.servers.len() >= limit;
    is_server && record.voters.iter().any(|v| s.peer(&v.instance).is_some_and(full))
}

/// A healthy cluster is at its limit, which is one higher while a voter is leaving.
pub(in crate::planner) fn is_spare(s: &Situation<'_>) -> bool {
    let Some(membership) = s.membership() else { return is_spare_server(s) };
    if !s.disk_is_empty() || s.own_entries(&membership.members).next().is_some() {
        return false;
    }
    let leaving = membership.voters().any(|m| s.instance_of(m).is_some_and(|instance| s.is_leaving(&instance)));
    membership.voters().count() >= s.policy.max_voters + usize::from(leaving)
}

/// This node has used up its own time for the join.
pub(in crate::planner) fn deadline_passed(s: &Situation<'_>) -> bool {
    s.memory.joining >= s.policy.join_deadline
}

/// What has to be done about entries of etcd's list that are this node's but that it cannot join as.
pub(in crate::planner) fn settle_own_entries(s: &Situation<'_>, membership: &Membership) -> Option<Decision> {
    let stale = s.own_entries(&membership.members).find(|m| !is_adoptable(m));
    stale.map(|stale| remove_stale(s, stale, membership)).or_else(|| trim_own(s, membership))
}

/// Only a learner that never started is adopted; the data of any other entry would have to be on this disk.
fn is_adoptable(member: &Member) -> bool {
    member.learner && member.name.is_none()
}

/// Removes a named entry whose data this disk does not hold: this instance's own, or that of another whose address it now has.
fn remove_stale(s: &Situation<'_>, stale: &Member, membership: &Membership) -> Decision {
    let voters = membership.voters().count();
    let healthy = membership.voters().filter(|m| m.id != stale.id && s.is_healthy(m.id)).count();
    if !stale.learner && !quorum::survives_removal(voters, healthy) {
        return Decision::wait(Phase::Joining, removing::own_stale_is_needed(stale, healthy, voters - 1)).again_in(s.policy.retry);
    }
    change::removal(s, Phase::Joining, stale, removing::own_stale(stale))
}

/// Removes from the charter too the stale voter removed above, before it is added again.
fn trim_own(s: &Situation<'_>, membership: &Membership) -> Option<Decision> {
    let listed_without_vote = membership.voters().all(|m| s.instance_of(m).as_ref() != Some(s.me()));
    let own = if listed_without_vote { change::trim(s, Phase::Joining, s.me()) } else { None };
    own.or_else(|| trim_what_was_removed(s, membership))
}

/// Removes from the charter, under the lock taken for the removal, a stale entry that was another instance's, whose address this one now has.
fn trim_what_was_removed(s: &Situation<'_>, membership: &Membership) -> Option<Decision> {
    let removed = s.record()?.voters.iter().find(|v| membership.get(v.member).is_none()).filter(|_| s.holds_lock())?;
    change::trim(s, Phase::Joining, &removed.instance)
}

pub(in crate::planner) fn spare(s: &Situation<'_>) -> Decision {
    let spare = Decision::rest(Phase::Spare, explain::is_spare());
    phase::with_remarks(s, spare)
}

/// The join waits only for this node itself; asked by [`crate::tracker::absorb`], which counts the join deadline from it.
pub(crate) fn is_up_to_this_node(s: &Situation<'_>) -> bool {
    if !s.ways().has_member {
        return worker::is_up_to_this_node(s);
    }
    let Charter::Known(record) = &s.charter else { return false };
    if s.membership().is_none() && s.ways().is_let_in {
        return record.state == State::Established && s.paused().is_none() && admission::admitted_by(s).is_some();
    }
    let Some(membership) = s.membership().filter(|_| s.paused().is_none()) else { return false };
    if record.state != State::Established || is_spare(s) || s.my_member().is_some_and(|m| !m.learner) {
        return false;
    }
    // Nobody is added until an operator has replaced the member that differs: this node's deadline must not abandon its launch, nor that of the next one.
    if s.has_alarm(Alarm::Corrupt) {
        return false;
    }
    let waits_for_lock = matches!(s.lock(), Some(Lock::Other { .. }));
    let waits_for_promotion = s.my_member().is_some() && is_near(s, membership);
    if waits_for_lock || waits_for_promotion {
        return false;
    }
    let mine = s.own_entries(&membership.members).next().is_some();
    let others_settled = membership.voters().all(|m| s.is_healthy(m.id)) && s.departed_voter().is_none();
    others_settled && (mine || membership.learner().is_none())
}

/// This node's learner is caught up: only its promotion is missing, which is up to the agent beside the leader.
fn is_near(s: &Situation<'_>, membership: &Membership) -> bool {
    let index = membership.leader.and_then(|l| s.status(l)).map(|l| l.index);
    let applied = s.my_member().and_then(|m| s.status(m.id)).map(|m| m.applied);
    index.zip(applied).is_some_and(|(index, applied)| index.saturating_sub(applied) <= s.policy.caught_up_lag)
}
