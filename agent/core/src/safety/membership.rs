//! Steps that change etcd's membership or leadership.

use crate::ids::MemberId;
use crate::member_url::MemberUrl;
use crate::observation::{Alarm, Lock, Member, Membership};
use crate::policy::Strangers;
use crate::quorum;
use crate::time::Timestamp;

use super::facts::Facts;
use super::refusal::{CharterFault, MemberFault};
use super::verdict::{Verdict, forbid, require};
use super::{notices, time_left, version};

pub(super) fn add(f: &Facts<'_>, url: MemberUrl) -> Verdict {
    f.needs_the_lock()?;
    let membership = f.membership()?;
    f.is_the_charters(membership)?;
    require(url == f.own_peer_url(), MemberFault::AnothersAddress(url))?;
    notices::stays(f)?;
    f.needs_an_empty_disk()?;
    version::joins(f)?;
    f.needs_equal_data()?;
    forbid(membership.learner(), |m| MemberFault::InFlight(m.id))?;
    forbid(membership.members.iter().find(|m| f.is_mine(m)), |m| MemberFault::ListedAlready(m.id))?;
    f.needs_all_voters(membership)
}

/// Permits only its own member, which must answer under this instance's name, and only this instance's address.
pub(super) fn update_peer_url(f: &Facts<'_>, member: MemberId, url: MemberUrl) -> Verdict {
    f.needs_the_lock()?;
    let membership = f.membership()?;
    f.is_the_charters(membership)?;
    let own = f.data().is_some_and(|d| d.member == Some(member));
    let named = membership.get(member).is_some_and(|m| m.name.as_ref() == Some(f.me()));
    require(own && named, MemberFault::NotOwn(member))?;
    f.needs_an_answer(member)?;
    require(url == f.own_peer_url(), MemberFault::AnothersAddress(url))?;
    let other = membership.members.iter().find(|m| m.id != member && m.peer_url.is_of(f.seen.me.address));
    forbid(other, |m| MemberFault::AddressTaken(url, m.id))
}

pub(super) fn promote(f: &Facts<'_>, member: MemberId) -> Verdict {
    f.needs_the_lock()?;
    let membership = f.membership()?;
    let has_started = |m: &&Member| m.learner && m.name.is_some();
    let learner = membership.get(member).filter(has_started).ok_or(MemberFault::NotStartedLearner(member))?;
    f.is_the_charters(membership)?;
    f.needs_an_answer(learner.id)?;
    let instance = f.instance_behind(learner);
    let stays = instance.as_ref().is_some_and(|i| !f.is_going(i));
    forbid((!stays).then_some(instance), |instance| MemberFault::LearnerGoes(member, instance))?;
    let departed = |m: &&Member| f.instance_behind(m).is_some_and(|i| i != *f.me() && f.has_departed(&i));
    forbid(membership.voters().find(departed), |m| MemberFault::Departed(m.id))?;
    let record = f.charter()?;
    let named = record.voters.iter().any(|v| v.member == member);
    require(named, CharterFault::MemberNotListed { record: record.number, member })?;
    let (voters, healthy) = (membership.voters().count() + 1, f.healthy_voters_without(membership, member) + 1);
    require(quorum::has_quorum(voters, healthy), MemberFault::NoHealthyQuorum { healthy, voters })
}

/// Whether this member may be removed without the lock. Under NOSPACE etcd rejects new leases but still accepts membership changes. A node about to miss its
/// deadline therefore removes itself without the lock if nothing else is in flight: the leader first, then the lowest member id.
fn needs_no_lock(f: &Facts<'_>, member: MemberId) -> bool {
    let Ok(membership) = f.membership() else { return false };
    let own = f.data().is_some_and(|d| d.member == Some(member)) && f.ways().runs_etcd && notices::is_told_to_leave(f);
    let refused = f.seen.etcd.statuses.values().filter_map(|r| r.fresh()).any(|status| status.alarms.contains(&Alarm::NoSpace));
    let free = matches!(f.seen.etcd.lock.fresh(), Some(Lock::Free));
    let settled = membership.members.iter().all(|m| !m.learner && m.name.is_some());
    let goes_first = |m: &Member| m.id != member && (membership.leader == Some(m.id) || m.id < member) && f.peer_leaves(membership, m.id);
    let is_next = membership.leader == Some(member) || !membership.voters().any(goes_first);
    own && refused && free && settled && is_next && time_left::little_time_is_left_for(f, f.policy.leave_margin * 3)
}

pub(super) fn remove(f: &Facts<'_>, member: MemberId) -> Verdict {
    if !needs_no_lock(f, member) {
        f.needs_the_lock()?;
    }
    let membership = f.membership()?;
    f.is_the_charters(membership)?;
    let target = membership.get(member).ok_or(MemberFault::NotListed(member))?;
    let instance = f.instance_behind(target);
    let departed = instance.as_ref().is_some_and(|i| *i != *f.me() && f.has_departed(i));
    if target.learner {
        let stuck = f.gate.standstill(member, f.now).is_some_and(|lasts| lasts >= f.policy.learner_patience);
        return require(f.is_mine(target) || departed || (stuck && !target.is_stranger()), MemberFault::LearnerNotStuck(member));
    }
    // A server without its data has no credentials for etcd, so only others can remove its old member. Its etcd must not answer either.
    let is_server = f.ways().is_let_in;
    let denied = is_server && !f.answers(member) && instance.as_ref().is_some_and(|i| *i != *f.me() && f.says_it_lacks(i, member));
    let by_hand = f.policy.strangers == Strangers::Remove && f.gate.nameless_for(member, f.now) >= Some(f.policy.learner_patience);
    require(departed || denied || by_hand || (f.is_mine(target) && may_remove_own(f, member)), MemberFault::NotToRemove(member))?;
    // Removing the dead must not wait for a member that EC2 does not know; leaving must.
    let own = f.is_mine(target) && notices::is_told_to_leave(f);
    let healthy = if own { f.healthy_known_voters_without(membership, member) } else { f.healthy_voters_without(membership, member) };
    let voters = membership.voters().count();
    let rest = MemberFault::NoHealthyQuorum { healthy, voters: voters.saturating_sub(1) };
    require(quorum::survives_removal(voters, healthy), rest)
}

/// Whether this node may remove its own voter: it is leaving, this disk does not hold the voter's data, or the voter stays broken and no known cause would
/// stop its next start too.
fn may_remove_own(f: &Facts<'_>, member: MemberId) -> bool {
    let held = f.seen.local.data.fresh().is_none() || f.data().is_some_and(|d| d.member == Some(member));
    let broken = f.is_stopped() && f.memory.local.starts.len() > f.policy.broken_restarts as usize && version::may_be_broken(f);
    notices::is_told_to_leave(f) || !held || broken
}

/// Permits handing over from this node's own member to any voter, and taking over from another whose agent has long been silent.
pub(super) fn move_leader(f: &Facts<'_>, from: MemberId, to: MemberId) -> Verdict {
    f.needs_the_lock()?;
    let membership = f.membership()?;
    if f.own_member()? != from {
        may_take_over(f, membership, from, to)?;
    }
    let heir = membership.get(to).filter(|m| !m.learner).ok_or(MemberFault::NotVoter(to))?;
    f.needs_an_answer(heir.id)
}

fn may_take_over(f: &Facts<'_>, membership: &Membership, from: MemberId, to: MemberId) -> Verdict {
    require(f.own_member()? == to, MemberFault::NotOwn(to))?;
    notices::stays(f)?;
    let instance = membership.get(from).and_then(|m| f.instance_behind(m));
    let heard = instance.as_ref().is_some_and(|i| f.peer(i).is_some());
    let long = |since: Timestamp| f.now.since(since) >= f.policy.stand_in_after;
    let silent = instance.is_none_or(|i| f.memory.silent_for(&i, f.now) >= f.policy.stand_in_after);
    let led = f.gate.led().is_some_and(|(leader, since)| leader == from && long(since));
    require(!heard && silent && led, MemberFault::LeaderAttended(from))
}

/// Permits a step that takes this node's voter out of service only while the others have quorum without it.
pub(super) fn without_me(f: &Facts<'_>) -> Verdict {
    f.needs_the_lock()?;
    let membership = f.membership()?;
    let mine = f.own_member()?;
    require(membership.via != mine, MemberFault::ReadThroughItself(mine))?;
    let (voters, healthy) = (membership.voters().count(), f.healthy_voters_without(membership, mine));
    require(quorum::has_quorum(voters, healthy), MemberFault::NoHealthyQuorum { healthy, voters })
}

/// Asking for a replacement takes this instance away, so it is permitted only while this node does not vote and every voter answers.
pub(super) fn report_unhealthy(f: &Facts<'_>) -> Verdict {
    f.needs_the_lock()?;
    require(f.surely_does_not_vote(), MemberFault::MayVote)?;
    f.needs_all_voters(f.membership()?)
}
