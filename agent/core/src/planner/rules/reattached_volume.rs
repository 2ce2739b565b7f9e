//! The only voter's volume on another instance. Nothing shows that it is the newest copy, so an operator says so, and then it continues as the same
//! member. The cluster keeps its id and its generation, and no snapshot is read.

use crate::charter::{ListedVoter, Record, State};
use crate::explain::ordered::{self, obstacle};
use crate::ids::{InstanceId, MemberId};
use crate::memory::{BackoffKey, Order};
use crate::observation::ReattachedVolume;
use crate::plan::{LockPurpose, Step};
use crate::report::Phase;
use crate::situation::{Charter, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, orders};

/// Adopts the volume as this instance's own, by an operator's order.
pub(in crate::planner) fn adopt(s: &Situation<'_>) -> Option<Decision> {
    let moved = s.seen.local.reattached.as_ref().filter(|_| s.order() == Some(Order::RecoverReattachedVolume))?;
    if s.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some()) {
        return orders::forget_order(s);
    }
    let owner = &moved.owner;
    let (record, member) = match may_adopt(s, moved) {
        Ok(found) => found,
        Err(why) => {
            return Some(Decision::halt(Phase::Recovering, ordered::does_not_adopt(owner, &why)));
        }
    };
    if !record.lists(s.me()) {
        return Some(list_here(s, record, owner, member));
    }
    if s.memory.waits(BackoffKey::Adopt, s.now) {
        return Some(Decision::wait(Phase::Recovering, ordered::could_not_label()).again_in(s.policy.retry));
    }
    let message = ordered::adopts(owner, member);
    Some(Decision::act(Phase::Recovering, Step::AdoptData { owner: owner.clone(), member }, message))
}

/// Lists the member at this instance in the charter, before anything starts on the volume. The charter accepts one record per number, so only one stands of
/// this record and another's claim to restore a snapshot. A node that reads it waits for this instance, whether or not EC2's lists show it yet.
fn list_here(s: &Situation<'_>, record: &Record, owner: &InstanceId, member: MemberId) -> Decision {
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Decision::wait(Phase::Recovering, ordered::store_refused_move()).again_in(s.policy.retry);
    }
    let next = Record { voters: vec![ListedVoter { instance: s.me().clone(), member }], ..change::successor(record) };
    let message = ordered::lists_member_here(member, owner, &next);
    Decision::act(Phase::Recovering, Step::CreateRecord(next), message)
}

/// The record that stands and its only voter, if this is that voter's data and no other instance can bring it back.
fn may_adopt<'a>(s: &Situation<'a>, moved: &ReattachedVolume) -> Result<(&'a Record, MemberId), String> {
    let ReattachedVolume { owner, data } = moved;
    if !s.ways().runs_etcd {
        return Err(obstacle::distribution_keeps_its_etcd());
    }
    let Charter::Known(record) = s.charter else { return Err(obstacle::charter_was_not_read()) };
    if record.state != State::Established || data.generation != Some(record.generation) || data.cluster != record.etcd_cluster {
        return Err(obstacle::is_not_established(record));
    }
    let member = data.member.ok_or_else(obstacle::log_was_never_written)?;
    let [voter] = &record.voters[..] else {
        return Err(obstacle::was_not_the_only_voter(owner, record));
    };
    if voter.member != member {
        return Err(obstacle::is_not_the_listed_member(member, record));
    }
    // A volume that was on its way to a third instance is listed there, and labelled as it was.
    if let Some(alive) = [owner, &voter.instance].into_iter().find(|id| *id != s.me() && !s.is_gone(id)) {
        return Err(obstacle::owner_may_come_back(alive));
    }
    if s.is_stopped() { Ok((record, member)) } else { Err(obstacle::etcd_may_run()) }
}

/// Corrects the member's peer address. Once a member has started, etcd reads that from its data and not from its command line (etcd server/etcdserver:
/// `haveWAL`).
pub(in crate::planner) fn update_peer_url(s: &Situation<'_>) -> Option<Decision> {
    let member = s.my_member().filter(|m| m.name.as_ref() == Some(s.me()))?;
    let peer_url = s.own_peer_url();
    if member.peer_url == peer_url || s.memory.waits(BackoffKey::PeerUrl, s.now) {
        return None;
    }
    let message = ordered::lists_new_address(peer_url, member);
    let step = Step::UpdatePeerUrl { via: s.via_any()?, member: member.id, peer_url };
    Some(Decision::act(Phase::Voter, step, message).under_lock(LockPurpose::ListNewAddress))
}
