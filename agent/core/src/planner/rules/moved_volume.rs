//! The only voter's volume on another instance: nothing shows that it is the newest copy, so that an operator says so, and then it goes on as the same
//! member. The cluster keeps its id and its generation, and no snapshot is read.

use crate::charter::{ListedVoter, Record, State};
use crate::ids::{InstanceId, MemberId};
use crate::memory::{BackoffKey, Order};
use crate::observation::MovedVolume;
use crate::plan::{LockPurpose, Step};
use crate::report::Phase;
use crate::role::Role;
use crate::situation::{Charter, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, orders};

/// Takes the volume for this instance's own, by an operator's order.
pub(in crate::planner) fn adopt(s: &Situation<'_>) -> Option<Decision> {
    let moved = s.seen.local.moved.as_ref().filter(|_| s.order() == Some(Order::RecoverMovedVolume))?;
    if s.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some()) {
        return orders::forget_order(s);
    }
    let owner = &moved.owner;
    let (record, member) = match may_adopt(s, moved) {
        Ok(found) => found,
        Err(why) => {
            let says = format!("does not go on from the volume of {owner}, as ordered: {why}");
            return Some(Decision::halt(Phase::Recovering, says));
        }
    };
    if !record.lists(s.me()) {
        return Some(list_here(s, record, owner, member));
    }
    if s.memory.waits(BackoffKey::Adopt, s.now) {
        return Some(Decision::wait(Phase::Recovering, "could not label the moved volume a moment ago").again_in(s.policy.retry));
    }
    let says = format!("takes the data that {owner} wrote for its own, as an operator ordered: it goes on as member {member}");
    Some(Decision::act(Phase::Recovering, Step::AdoptData { owner: owner.clone(), member }, says))
}

/// The charter follows the volume before anything starts on it: it takes one record of a number, so that of this and another's claim to restore a
/// snapshot only one stands; and who reads it waits for this instance, whether or not EC2's lists show it yet.
fn list_here(s: &Situation<'_>, record: &Record, owner: &InstanceId, member: MemberId) -> Decision {
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Decision::wait(Phase::Recovering, "the store refused the record of the moved volume a moment ago").again_in(s.policy.retry);
    }
    let next = Record { voters: vec![ListedVoter { instance: s.me().clone(), member }], ..change::successor(record) };
    let says = format!("lists member {member} of {owner} here, where its volume is now, as an operator ordered: {next}");
    Decision::act(Phase::Recovering, Step::CreateRecord(next), says)
}

/// The record that stands and its only voter, if this is that one's data and nobody else can bring it back.
fn may_adopt<'a>(s: &Situation<'a>, moved: &MovedVolume) -> Result<(&'a Record, MemberId), String> {
    let MovedVolume { owner, data } = moved;
    if s.seen.me.role != Role::Etcd {
        return Err("a distribution of Kubernetes keeps its etcd itself".to_owned());
    }
    let Charter::Known(record) = s.charter else { return Err("the charter cannot be read, or holds nothing".to_owned()) };
    if record.state != State::Established || data.generation != Some(record.generation) || data.cluster != record.etcd_cluster {
        return Err(format!("it is not of what stands established, {record}"));
    }
    let member = data.member.ok_or("etcd never got so far as to write its log there")?;
    let [voter] = &record.voters[..] else {
        return Err(format!("{owner} was not the only voter, by {record}: put its data away, and this instance joins afresh"));
    };
    if voter.member != member {
        return Err(format!("it is the data of member {member}, and {record} lists another: put it away, and this instance joins afresh"));
    }
    // A volume that was on its way to a third instance is listed there, and labelled as it was.
    if let Some(alive) = [owner, &voter.instance].into_iter().find(|id| *id != s.me() && !s.is_gone(id)) {
        return Err(format!("EC2 does not say that {alive} has ended: while it may come back, two could go on from one history"));
    }
    if s.is_stopped() { Ok((record, member)) } else { Err("whether etcd runs here is not known, or it does".to_owned()) }
}

/// etcd takes a member's peer address from its data, and not from its command line, once it has started (etcd server/etcdserver: `haveWAL`).
pub(in crate::planner) fn update_peer_url(s: &Situation<'_>) -> Option<Decision> {
    let member = s.my_member().filter(|m| s.seen.me.role == Role::Etcd && m.name.as_ref() == Some(s.me()))?;
    let peer_url = s.seen.me.role.peer_url(s.seen.me.address);
    if member.peer_url == peer_url || s.memory.waits(BackoffKey::PeerUrl, s.now) {
        return None;
    }
    let says = format!("lists its member at {peer_url}, where its volume is now, instead of {}", member.peer_url);
    let step = Step::UpdatePeerUrl { via: s.via_any()?, member: member.id, peer_url };
    Some(Decision::act(Phase::Voter, step, says).under_lock(LockPurpose::ListNewAddress))
}
