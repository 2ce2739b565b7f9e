//! Changes of the membership, and of the charter that records it: the steps that several rules take.

use crate::charter::{ListedVoter, Record, State};
use crate::explain::changing::{self, Reconciles};
use crate::explain::{Message, removing};
use crate::ids::{InstanceId, MemberId};
use crate::memory::BackoffKey;
use crate::observation::{Member, Membership};
use crate::plan::{LockPurpose, Step};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;

/// etcd's voters, the learner that is being promoted, and one that the charter already names, because it may be promoted at any moment.
pub(in crate::planner) fn voters_and(s: &Situation<'_>, membership: &Membership, promoted: Option<MemberId>) -> Vec<ListedVoter> {
    let named = |id| s.record().is_some_and(|r| r.voters.iter().any(|v| v.member == id));
    list(s, membership, |m| !m.learner || promoted == Some(m.id) || named(m.id))
}

/// The step that writes `next`, under the lock.
pub(in crate::planner) fn write(s: &Situation<'_>, phase: Phase, next: Record, why: Reconciles) -> Decision {
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Decision::wait(phase, changing::store_refused(why)).again_in(s.policy.retry).under_lock(LockPurpose::WriteCharter);
    }
    let message = changing::writes(why, &next);
    Decision::act(phase, Step::CreateRecord(next), message).under_lock(LockPurpose::WriteCharter)
}

/// etcd's members that `take` accepts, as the charter lists voters.
fn list(s: &Situation<'_>, membership: &Membership, take: impl Fn(&crate::observation::Member) -> bool) -> Vec<ListedVoter> {
    let listed = membership.members.iter().filter(|m| take(m));
    let mut voters: Vec<ListedVoter> =
        listed.filter_map(|m| s.instance_of(m).map(|instance| ListedVoter { instance, member: m.id })).collect();
    voters.sort();
    voters
}

/// The record that would follow with this list of voters, if the established one lists others.
pub(in crate::planner) fn with_voters(s: &Situation<'_>, voters: Vec<ListedVoter>) -> Option<Record> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    if record.voters == voters || voters.is_empty() || s.membership().map(|m| m.cluster) != record.etcd_cluster {
        return None;
    }
    Some(Record { voters, ..successor(record) })
}

/// The record that removes `gone`, which etcd no longer has, from the list; it brings the whole list in line.
pub(in crate::planner) fn without(s: &Situation<'_>, gone: &InstanceId) -> Option<Record> {
    s.record().filter(|r| r.lists(gone))?;
    with_voters(s, voters_and(s, s.membership()?, None))
}

/// A copy of `record` with the next number, linked to it.
pub(in crate::planner) fn successor(record: &Record) -> Record {
    Record { number: record.number + 1, previous: Some(record.digest()), ..record.clone() }
}

/// MemberRemove through a healthy voter, under the lock, unless it was refused a moment ago.
pub(in crate::planner) fn removal(s: &Situation<'_>, phase: Phase, member: &Member, message: Message) -> Decision {
    if s.memory.waits(BackoffKey::Remove, s.now) {
        return Decision::wait(phase, removing::etcd_refused(&message)).again_in(s.policy.retry);
    }
    let Some(via) = s.via_any().filter(|v| v.member != member.id).or_else(|| s.via_other()) else {
        return Decision::wait(phase, removing::no_voter_answers(&message)).again_in(s.policy.retry);
    };
    Decision::act(phase, Step::RemoveMember { via, member: member.id }, message).under_lock(LockPurpose::RemoveMember)
}

/// What is still to be written into the charter after `member`'s removal.
pub(in crate::planner) fn trim(s: &Situation<'_>, phase: Phase, instance: &InstanceId) -> Option<Decision> {
    let next = without(s, instance)?;
    Some(write(s, phase, next, Reconciles::Removal))
}
