//! A volume that was moved here: whether its data may become this instance's.

use crate::charter::{Record, State};
use crate::ids::{InstanceId, MemberId};
use crate::memory::Order;
use crate::role::Role;

use super::facts::Facts;
use super::verdict::{Verdict, require};
use super::{notices, version};

/// An operator has said that what another instance wrote is the newest copy of the only voter's data; and whoever wrote it or was listed with it has ended.
pub(super) fn moved_here(f: &Facts<'_>, record: &Record, member: MemberId) -> Verdict {
    require(f.is_stopped(), "etcd is not known to be stopped")?;
    require(f.memory.kept.order == Some(Order::RecoverMovedVolume), "no operator has said that the volume is the newest copy")?;
    require(!notices::is_told_to_leave(f) && f.seen.me.role == Role::Etcd, "it is leaving, or a distribution keeps its etcd")?;
    let moved = f.seen.local.moved.as_ref().filter(|m| m.data.member == Some(member)).ok_or("no such volume is here")?;
    require(record.state == State::Established, "nothing is established")?;
    let same =
        moved.data.generation == Some(record.generation) && moved.data.cluster.is_some() && moved.data.cluster == record.etcd_cluster;
    require(same, "it is not the data of what is established")?;
    version::resumes_moved(f, moved.data.version)?;
    let [voter] = &record.voters[..] else { return Err("it was not the only voter's") };
    require(voter.member == member, "it was not the only voter's")?;
    let over = |id: &InstanceId| id == f.me() || f.has_ended(id);
    require(over(&voter.instance) && f.has_ended(&moved.owner), "EC2 does not say that its instance has ended")?;
    let seen_by_others = f.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some());
    require(f.membership().is_err() && !seen_by_others, "a quorum is alive")
}
