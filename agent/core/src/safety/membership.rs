//! Steps that change etcd's membership or leadership.

use crate::ids::MemberId;
use crate::member_url::MemberUrl;
use crate::observation::{Alarm, Lock, Member};
use crate::plan::peer_url;
use crate::quorum;
use crate::role::Role;

use super::facts::Facts;
use super::verdict::{Verdict, require};
use super::{notices, time_left, version};

const NO_LOCK: &str = "the lock is not held for long enough";

pub(super) fn add(f: &Facts<'_>, url: MemberUrl) -> Verdict {
    require(f.lock_outlasts_a_call(), NO_LOCK)?;
    let membership = f.membership()?;
    f.is_the_charters(membership)?;
    require(url == peer_url(f.seen.me.address), "it adds another than itself")?;
    require(!notices::is_told_to_leave(f), "it is leaving")?;
    require(f.disk_is_empty(), "its disk holds data")?;
    version::joins(f)?;
    require(membership.members.iter().all(|m| !m.learner && !f.is_mine(m)), "another change is in flight, or it is listed already")?;
    require(membership.voters().all(|m| f.answers(m.id)), "a voter does not answer")
}

/// Its own member alone, which answers under this instance's name, and at no other address than this instance's.
pub(super) fn update_peer_url(f: &Facts<'_>, member: MemberId, url: MemberUrl) -> Verdict {
    require(f.lock_outlasts_a_call(), NO_LOCK)?;
    let membership = f.membership()?;
    f.is_the_charters(membership)?;
    let own = f.data().is_some_and(|d| d.member == Some(member));
    let named = membership.get(member).is_some_and(|m| m.name.as_ref() == Some(f.me()));
    require(own && named && f.answers(member), "it is not this instance's own member, answering under its name")?;
    require(url == f.seen.me.role.peer_url(f.seen.me.address), "it is another's address")?;
    require(!membership.members.iter().any(|m| m.id != member && m.peer_url == url), "another member is listed there")
}

pub(super) fn promote(f: &Facts<'_>, member: MemberId) -> Verdict {
    require(f.lock_outlasts_a_call(), NO_LOCK)?;
    let membership = f.membership()?;
    let learner = membership.get(member).filter(|m| m.learner && m.name.is_some()).ok_or("it is not a learner that has started")?;
    f.is_the_charters(membership)?;
    require(f.answers(learner.id), "the learner does not answer")?;
    require(f.instance_behind(learner).is_some_and(|i| !f.is_going(&i)), "the learner's instance is on its way out")?;
    let departed = |m: &Member| f.instance_behind(m).is_some_and(|i| i != *f.me() && f.has_departed(&i));
    require(!membership.voters().any(departed), "a departed voter must be removed first")?;
    let record = f.highest()?.ok_or("there is no charter")?;
    require(record.voters.iter().any(|v| v.member == member), "the charter does not name it")?;
    let voters = membership.voters().count();
    require(quorum::has_quorum(voters + 1, f.healthy_voters_without(membership, member) + 1), "the new list would have no healthy quorum")
}

/// Out of space, etcd grants no lease: who runs out of time removes itself without the lock, if nothing else is in flight and nobody goes before it.
fn needs_no_lock(f: &Facts<'_>, member: MemberId) -> bool {
    let Ok(membership) = f.membership() else { return false };
    let own = f.data().is_some_and(|d| d.member == Some(member)) && f.seen.me.role == Role::Etcd && notices::is_told_to_leave(f);
    let refused = f.seen.etcd.statuses.values().filter_map(|r| r.fresh()).any(|status| status.alarms.contains(&Alarm::NoSpace));
    let free = matches!(f.seen.etcd.lock.fresh(), Some(Lock::Free));
    let settled = membership.members.iter().all(|m| !m.learner && m.name.is_some());
    let goes_first = |m: &Member| m.id != member && (membership.leader == Some(m.id) || m.id < member) && f.peer_leaves(membership, m.id);
    let is_next = membership.leader == Some(member) || !membership.voters().any(goes_first);
    own && refused && free && settled && is_next && time_left::little_time_is_left_for(f, f.policy.leave_margin * 3)
}

pub(super) fn remove(f: &Facts<'_>, member: MemberId) -> Verdict {
    require(f.lock_outlasts_a_call() || needs_no_lock(f, member), NO_LOCK)?;
    let membership = f.membership()?;
    f.is_the_charters(membership)?;
    let target = membership.get(member).ok_or("it is not in the list")?;
    let instance = f.instance_behind(target);
    let departed = instance.as_ref().is_some_and(|i| *i != *f.me() && f.has_departed(i));
    if target.learner {
        let stuck = f.gate.standstill(member, f.now).is_some_and(|lasts| lasts >= f.policy.learner_patience);
        return require(f.is_mine(target) || departed || stuck, "the learner is another's, and neither departed nor stuck");
    }
    // A server without its data has no credentials for etcd, so that only others can remove what it was; its etcd must not answer either.
    let is_server = f.seen.me.role == Role::ControlPlane;
    let denied = is_server && !f.answers(member) && instance.as_ref().is_some_and(|i| *i != *f.me() && f.says_it_lacks(i, member));
    require(
        departed || denied || (f.is_mine(target) && may_remove_own(f, member)),
        "it neither departed nor is this node's own to remove",
    )?;
    let healthy = f.healthy_voters_without(membership, member);
    require(quorum::survives_removal(membership.voters().count(), healthy), "the rest would have no healthy quorum")
}

/// Its own voter: on the way out, or one whose data this disk does not hold, or one that stays broken, by no cause that another start would meet again.
fn may_remove_own(f: &Facts<'_>, member: MemberId) -> bool {
    let held = f.seen.local.data.fresh().is_none() || f.data().is_some_and(|d| d.member == Some(member));
    let broken = f.is_stopped() && f.memory.local.starts.len() > f.policy.broken_restarts as usize && version::may_be_broken(f);
    notices::is_told_to_leave(f) || !held || broken
}

pub(super) fn move_leader(f: &Facts<'_>, to: MemberId) -> Verdict {
    require(f.lock_outlasts_a_call(), NO_LOCK)?;
    let membership = f.membership()?;
    let heir = membership.get(to).filter(|m| !m.learner).ok_or("the heir is no voter")?;
    require(f.answers(heir.id), "the heir does not answer")
}

/// A step that takes this node's voter out of service: only while the others have quorum without it.
pub(super) fn without_me(f: &Facts<'_>) -> Verdict {
    require(f.lock_outlasts_a_call(), NO_LOCK)?;
    let membership = f.membership()?;
    let mine = f.data().and_then(|d| d.member).ok_or("its own member is not known")?;
    require(membership.via != mine, "the quorum was read through its own member")?;
    let others = f.healthy_voters_without(membership, mine);
    require(quorum::has_quorum(membership.voters().count(), others), "the others have no quorum without it")
}

/// Asking for a replacement takes this instance away: only while the voters other than it are healthy, to the last.
pub(super) fn report_unhealthy(f: &Facts<'_>) -> Verdict {
    require(f.lock_outlasts_a_call(), NO_LOCK)?;
    require(f.surely_does_not_vote(), "its member votes")?;
    require(f.membership()?.voters().all(|m| f.answers(m.id)), "a voter does not answer")
}
