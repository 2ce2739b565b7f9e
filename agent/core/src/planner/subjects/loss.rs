//! What is left of an established generation, and whether quorum is lost for good.

use crate::charter::{ListedVoter, Origin, Record, State};
use crate::explain::recovering;
use crate::ids::{InstanceId, MemberId};
use crate::observation::{DataClaim, Member};
use crate::policy::Recovery;
use crate::quorum;
use crate::report::Phase;
use crate::situation::{Situation, Word};

use crate::planner::decision::Decision;
use crate::planner::subjects::change;

/// Whether the local member's own list can never reach quorum again: no leader, and too few voters that are not gone.
/// Voters that are merely silent are a partition, and no node acts on a partition.
pub(crate) fn loses_quorum_for_good(s: &Situation<'_>) -> bool {
    if s.membership().is_some() {
        return false;
    }
    let Some(me) = s.data().and_then(|d| d.member) else { return false };
    s.status(me).is_some_and(|status| status.leader.is_none()) && own_list_is_lost(s, me)
}

/// The record makes no claim, or no node carries its claim out: a recovery may be decided on it.
pub(in crate::planner) fn is_open(s: &Situation<'_>, record: &Record) -> bool {
    let Some(founder) = record.founder() else { return record.state == State::Established };
    let left_behind = matches!(record.origin, Origin::Snapshot { .. }) && rests_with_nobody(s, record, founder);
    claim_is_void(s, record) || left_behind
}

/// The survivor that claimed will never restore: it is gone, or itself says that its data is gone, both the old data and the claimed.
pub(in crate::planner) fn claim_is_void(s: &Situation<'_>, record: &Record) -> bool {
    let Some(founder) = record.founder().filter(|_| matches!(record.origin, Origin::Survivor { .. })) else { return false };
    let listed = |id| record.voters.iter().any(|v| v.instance == *founder && v.member == id);
    let has_lost_it = match s.peer(founder).map(|p| &p.data) {
        Some(DataClaim::None) => true,
        Some(DataClaim::Holds { member, generation: Some(generation), .. }) => *generation < record.generation && !listed(*member),
        Some(DataClaim::Holds { generation: None, .. } | DataClaim::Unknown) | None => false,
    };
    s.is_gone(founder) || (s.trusts(founder) && has_lost_it && s.word_of(founder) == Some(Word::Signed))
}

/// What the record and the local member's own list say of the voters, for an operator to see.
pub(crate) struct Facts {
    /// By the record's voters quorum is lost for good.
    pub(crate) is_lost: bool,
    /// The number of them that are not gone.
    pub(crate) left: usize,
    /// The local list and the charter's, where they differ.
    pub(crate) voters_differ: Option<(Vec<MemberId>, Vec<MemberId>)>,
}

/// What the record and the local member's own list say of the voters.
pub(crate) fn facts_of_recovery(s: &Situation<'_>, record: &Record) -> Facts {
    let charter = charter_voters(record);
    let own = own_voters(s).filter(|own| *own != charter && s.data_generation() == Some(record.generation));
    Facts { is_lost: too_few_are_left(s, record), left: left_of(s, record), voters_differ: own.map(|own| (own, charter)) }
}

/// By the record's voters quorum is lost for good.
pub(in crate::planner) fn too_few_are_left(s: &Situation<'_>, record: &Record) -> bool {
    quorum::lost(record.voters.len(), left_of(s, record))
}

pub(in crate::planner) fn left_of(s: &Situation<'_>, record: &Record) -> usize {
    left(s, record).count()
}

/// The listed voters whose data still exists or may exist: those not gone, and this node if its own disk holds data.
pub(in crate::planner) fn left<'a>(s: &Situation<'a>, record: &'a Record) -> impl Iterator<Item = &'a ListedVoter> {
    let mine = !s.disk_is_empty();
    let gone: Vec<&ListedVoter> = record.voters.iter().filter(|v| v.instance != *s.me() && s.voter_is_gone(v)).collect();
    let me = s.me();
    record.voters.iter().filter(move |v| if v.instance == *me { mine } else { !gone.contains(v) })
}

/// Why the group's list does not let this node claim. A detached survivor still holds the data and is not gone, so no other node may act while it
/// lives. But a node that its group no longer lists, without having detached it, does not know which other nodes it should ask.
pub(in crate::planner) fn is_cut_out(s: &Situation<'_>) -> Option<Decision> {
    let Some(listed) = s.seen.cloud.listed.fresh() else {
        let wait = recovering::group_was_not_read(&s.seen.cloud.listed.why_not_fresh());
        return Some(Decision::wait(Phase::Recovering, wait).again_in(s.policy.retry));
    };
    if listed.contains_key(s.me()) || s.is_detached() {
        return None;
    }
    Some(Decision::halt(Phase::Recovering, recovering::is_cut_out()))
}

/// The record by which this node's own data becomes the next generation.
pub(in crate::planner) fn claim_of_survivor(s: &Situation<'_>, record: &Record) -> Record {
    Record {
        generation: record.generation.next(),
        origin: Origin::Survivor { instance: s.me().clone() },
        state: State::Founding { founder: s.me().clone() },
        etcd_cluster: None,
        ancestors: record.lineage(),
        ..change::successor(record)
    }
}

/// The voters by the local member's own list, sorted; none where it does not say.
pub(in crate::planner) fn own_voters(s: &Situation<'_>) -> Option<Vec<MemberId>> {
    let list = s.seen.etcd.local_list.fresh()?;
    let mut mine: Vec<_> = list.iter().filter(|m| !m.learner).map(|m| m.id).collect();
    mine.sort();
    Some(mine)
}

/// The voters by the charter, sorted.
pub(in crate::planner) fn charter_voters(record: &Record) -> Vec<MemberId> {
    let mut charter: Vec<_> = record.voters.iter().map(|v| v.member).collect();
    charter.sort();
    charter
}

/// By the local member's own list too few voters are left; false where the list is not known.
pub(in crate::planner) fn own_list_is_lost(s: &Situation<'_>, me: MemberId) -> bool {
    let Some(list) = s.seen.etcd.local_list.fresh() else { return false };
    let voters: Vec<&Member> = list.iter().filter(|m| !m.learner).collect();
    quorum::lost(voters.len(), voters.iter().filter(|m| m.id == me || !s.member_is_gone(m)).count())
}

/// The last revision of its keys, as its own etcd says.
pub(in crate::planner) fn revision(s: &Situation<'_>, instance: &InstanceId) -> Option<u64> {
    if instance == s.me() {
        return s.data().and_then(|d| d.member).and_then(|id| s.status(id)).and_then(|status| status.revision);
    }
    match s.peer(instance).map(|p| &p.data) {
        Some(DataClaim::Holds { revision, .. }) => *revision,
        Some(DataClaim::Unknown | DataClaim::None) | None => None,
    }
}

/// How far its data has been applied, as its own etcd says.
pub(in crate::planner) fn applied(s: &Situation<'_>, instance: &InstanceId) -> Option<u64> {
    if instance == s.me() {
        return s.data().and_then(|d| d.member).and_then(|id| s.status(id)).map(|status| status.applied);
    }
    match s.peer(instance).map(|p| &p.data) {
        Some(DataClaim::Holds { applied, .. }) => *applied,
        Some(DataClaim::Unknown | DataClaim::None) | None => None,
    }
}

/// No node will carry out this claim: it is a survivor's claim of this node, and its data is gone; or a claim to restore a snapshot, and its founder is gone
/// or is this node and cannot carry it out.
pub(in crate::planner) fn rests_with_nobody(s: &Situation<'_>, record: &Record, founder: &InstanceId) -> bool {
    let mine = founder == s.me();
    match &record.origin {
        Origin::Survivor { .. } => mine,
        Origin::Snapshot { key } => {
            let of_this_run = s.memory.claimed.is_some_and(|(number, _)| number == record.number);
            s.is_gone(founder) || (mine && (!of_this_run || s.memory.snapshots.refused.contains_key(key)))
        }
        Origin::Empty | Origin::Fresh => false,
    }
}

/// Policy `any` acts where too few survive for `safe`.
pub(in crate::planner) fn any_acts(s: &Situation<'_>, voters: usize, survivors: usize) -> bool {
    s.policy.recovery == Recovery::Any && !quorum::meets_every_quorum(voters, survivors)
}
