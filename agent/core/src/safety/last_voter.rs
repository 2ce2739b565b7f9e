//! Whether this node is the last voter, and is leaving.

use crate::charter::{ListedVoter, Record, State};
use crate::observation::Member;

use super::facts::Facts;
use super::refusal::{CharterFault, MemberFault, Unread, VoterList};
use super::verdict::{Verdict, forbid, require};
use super::{notices, time_left};

/// Requires that every other voter is gone, by a quorum's list, or without one by its own and the charter's; and that no learner could take over in time.
pub(super) fn last_voter_leaves(f: &Facts<'_>) -> Verdict {
    notices::leaves(f)?;
    require(f.seen.local.data.fresh().is_some(), Unread::Disk)?;
    let left = |by| move |member| MemberFault::OthersLeft { by, member };
    let is_over = |m: &Member| m.learner || f.is_mine(m) || f.instance_behind(m).is_some_and(|i| f.has_ended(&i) || f.denies(&i, m.id));
    let Some(membership) = f.seen.etcd.membership.fresh() else {
        let list = f.seen.etcd.local_list.fresh();
        let record = f.memory.kept.record.as_ref();
        require(list.is_some() || record.is_some(), Unread::Voters)?;
        let is_gone = |v: &ListedVoter| v.instance == *f.me() || f.has_ended(&v.instance) || f.denies(&v.instance, v.member);
        forbid(list.into_iter().flatten().find(|m| !is_over(m)).map(|m| m.id), left(VoterList::Own))?;
        let by_charter = record.into_iter().flat_map(|r| &r.voters).find(|v| !is_gone(v));
        return forbid(by_charter.map(|v| v.member), left(VoterList::Charter));
    };
    forbid(membership.members.iter().find(|m| !is_over(m)).map(|m| m.id), left(VoterList::Quorum))?;
    let heir = membership.members.iter().find(|m| m.learner && !f.is_mine(m) && f.answers(m.id));
    forbid(heir.filter(|_| !time_left::little_time_is_left(f)), |m| MemberFault::LearnerTakesOver(m.id))
}

/// Requires an established generation, of which this node is the only voter left, with its data on this disk.
pub(super) fn retires(f: &Facts<'_>, record: &Record) -> Verdict {
    require(record.state == State::Established, CharterFault::NotEstablished(record.number))?;
    let is_over = |v: &ListedVoter| v.instance == *f.me() || f.has_ended(&v.instance);
    let other = record.voters.iter().find(|v| !is_over(v));
    forbid(other, |v| MemberFault::OthersLeft { by: VoterList::Charter, member: v.member })?;
    require(record.lists(f.me()), CharterFault::NotListed { record: record.number, instance: f.me().clone() })?;
    f.needs_data_of(record, f.data())
}
