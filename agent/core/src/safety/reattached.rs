//! A volume that was moved here: whether its data may become this instance's.

use crate::charter::{Record, State};
use crate::ids::MemberId;
use crate::memory::Order;

use super::facts::Facts;
use super::refusal::{CharterFault, DataFault, InstanceFault, NoConsent, NotOrdered};
use super::verdict::{Verdict, forbid, require};
use super::{notices, version};

/// Requires an operator's word that what another instance wrote is the newest copy of the only voter's data. The instance that wrote it must have ended, and
/// so must the one that is listed with it, unless that is this one.
pub(super) fn reattached_here(f: &Facts<'_>, record: &Record, member: MemberId) -> Verdict {
    f.needs_a_stopped_service()?;
    require(f.memory.kept.order == Some(Order::RecoverReattachedVolume), NotOrdered::ReattachedVolume)?;
    notices::stays(f)?;
    require(f.ways().runs_etcd, InstanceFault::WrongRole(f.seen.me.role))?;
    let moved = f.seen.local.reattached.as_ref().filter(|m| m.data.member == Some(member)).ok_or(DataFault::NoVolumeWith(member))?;
    require(record.state == State::Established, CharterFault::NotEstablished(record.number))?;
    f.needs_data_of(record, Some(&moved.data))?;
    version::resumes_moved(f, moved.data.version)?;
    let voter = match &record.voters[..] {
        [voter] if voter.member == member => voter,
        others => return Err(DataFault::NotTheOnlyVoters { member, voters: others.len() }.into()),
    };
    require(voter.instance == *f.me() || f.has_ended(&voter.instance), InstanceFault::NotEnded(voter.instance.clone()))?;
    require(f.has_ended(&moved.owner), InstanceFault::NotEnded(moved.owner.clone()))?;
    f.needs_no_quorum()?;
    let seen_by_others = f.seen.peers.iter().find_map(|(id, p)| Some((id, p.fresh()?.quorum?)));
    forbid(seen_by_others, |(id, cluster)| NoConsent::SeesQuorum(id.clone(), cluster))
}
