//! What a recovery may give up: data that can never have quorum again, by an operator's order or by policy `any`.

use crate::charter::{ListedVoter, Origin, Record};
use crate::ids::InstanceId;
use crate::memory::Order;
use crate::observation::{DataClaim, Member, MemberStatus};
use crate::policy::Recovery;
use crate::quorum;

use super::facts::Facts;
use super::refusal::LossFault;
use super::verdict::{Verdict, require};

/// Whether an operator has ordered this node to restore the snapshot that the claim names.
pub(super) fn orders_snapshot(f: &Facts<'_>, record: &Record) -> bool {
    let (Some(Order::RecoverSnapshot { key: wanted }), Origin::Snapshot { key }) = (&f.memory.kept.order, &record.origin) else {
        return false;
    };
    wanted.as_ref().is_none_or(|wanted| wanted == key)
}

/// The operator's order to go on from this node's own data, if there is one: whether it holds even if this node's list of voters differs from the charter's.
pub(super) fn orders_survivor(f: &Facts<'_>) -> Option<bool> {
    match &f.memory.kept.order {
        Some(Order::RecoverSurvivor { although_voters_differ }) => Some(*although_voters_differ),
        _ => None,
    }
}

/// Whether the data of `record`'s voters no longer counts against its claim: they can never have quorum again, and an operator or the policy has chosen.
pub(super) fn gives_up_data(f: &Facts<'_>, record: &Record) -> bool {
    let chosen = orders_snapshot(f, record) || chosen_by_policy(f, record);
    chosen && quorum_is_lost(f, &record.voters).is_ok()
}

/// Requires that too few voters are left, by this list of the charter's and by the local member's own list if it is known.
pub(super) fn quorum_is_lost(f: &Facts<'_>, voters: &[ListedVoter]) -> Verdict {
    is_lost(voters.len(), left(f, voters))?;
    own_list_is_lost(f)
}

/// Requires that the voters left can never have quorum again.
pub(super) fn is_lost(voters: usize, left: usize) -> Verdict {
    require(quorum::lost(voters, left), LossFault::NotLost { left, voters })
}

/// The number of these voters that are left. Another instance's voter is gone if EC2 says that the instance has ended, or if the instance says itself that it
/// does not hold that data.
fn left(f: &Facts<'_>, voters: &[ListedVoter]) -> usize {
    let mine = !f.disk_is_empty();
    let is_left = |v: &&ListedVoter| match v.instance == *f.me() {
        true => mine,
        false => !(f.has_ended(&v.instance) || f.denies(&v.instance, v.member)),
    };
    voters.iter().filter(is_left).count()
}

/// The same by the local member's own list, if it is known.
pub(super) fn own_list_is_lost(f: &Facts<'_>) -> Verdict {
    let Some(list) = f.seen.etcd.local_list.fresh() else { return Ok(()) };
    let voters: Vec<&Member> = list.iter().filter(|m| !m.learner).collect();
    let ended = |m: &Member| f.instance_behind(m).is_some_and(|id| f.has_ended(&id) || f.denies(&id, m.id));
    let left = voters.iter().filter(|m| f.is_mine(m) || !ended(m)).count();
    is_lost(voters.len(), left)
}

/// Whether policy `any` has chosen the snapshot. Either its claim stands already, or quorum has been lost for the grace and the snapshot is newer than this
/// node's data, which goes furthest of all that is left.
fn chosen_by_policy(f: &Facts<'_>, record: &Record) -> bool {
    let Origin::Snapshot { key } = &record.origin else { return false };
    if f.policy.recovery != Recovery::Any {
        return false;
    }
    let stands = f.highest().is_ok_and(|highest| highest == Some(record)) && f.founds(record);
    let revision = f.seen.snapshots.stored.fresh().and_then(|l| l.get(key)).map(|stored| stored.manifest.revision);
    stands || (has_waited(f) && revision.is_some_and(|revision| is_newest(f, record, revision)))
}

/// Whether quorum has been lost for the grace.
pub(super) fn has_waited(f: &Facts<'_>) -> bool {
    f.gate.lost_since().is_some_and(|since| f.now.since(since) >= f.policy.quorum_loss_grace)
}

/// What this node's own member answers now.
pub(super) fn own_status<'a>(f: &Facts<'a>) -> Option<&'a MemberStatus> {
    f.data().and_then(|d| d.member).and_then(|m| f.seen.etcd.statuses.get(&m)).and_then(|s| s.fresh())
}

/// Whether this node's own data goes furthest of all that is left, and `revision` goes further still.
fn is_newest(f: &Facts<'_>, record: &Record, revision: u64) -> bool {
    let Some(mine) = own_status(f).filter(|s| s.leader.is_none()) else { return false };
    let behind = |id: &InstanceId| match f.peer(id).map(|p| &p.data) {
        Some(DataClaim::Holds { applied: Some(applied), revision: Some(theirs), .. }) => *applied <= mine.applied && *theirs < revision,
        Some(DataClaim::Holds { .. } | DataClaim::Unknown) | None => false,
        Some(DataClaim::None) => true,
    };
    let left = record.voters.iter().map(|v| &v.instance).filter(|id| *id != f.me() && !f.has_ended(id));
    mine.revision.is_some_and(|mine| mine < revision) && left.into_iter().all(behind)
}
