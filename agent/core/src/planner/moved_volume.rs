//! The only voter's volume on another instance: nothing shows that it is the newest copy, so that an operator says so, and then it goes on as the same
//! member. The cluster keeps its id and its generation, and no snapshot is read.

use crate::charter::{ListedVoter, State};
use crate::ids::{InstanceId, MemberId};
use crate::memory::Order;
use crate::observation::{Membership, MovedVolume};
use crate::plan::Step;
use crate::report::Phase;
use crate::role::Role;
use crate::situation::{Charter, Situation};

use super::decision::Decision;
use super::{bootstrap, charter};

/// Takes the volume for this instance's own, by an operator's order.
pub(super) fn adopt(s: &Situation<'_>) -> Option<Decision> {
    let moved = s.seen.local.moved.as_ref().filter(|_| s.order() == Some(Order::RecoverMovedVolume))?;
    if s.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some()) {
        return bootstrap::forget_order(s);
    }
    let MovedVolume { owner, data } = moved;
    let member = match may_adopt(s, moved) {
        Ok(member) => member,
        Err(why) => {
            let says = format!("does not go on from the volume of {owner}, as ordered: {why}");
            return Some(Decision::halt(Phase::Recovering, says));
        }
    };
    if s.memory.waits("adopt", s.now) {
        return Some(Decision::wait(Phase::Recovering, "could not label the moved volume a moment ago").again_in(s.policy.retry));
    }
    let generation = data.generation.map_or_else(String::new, |g| format!(" of generation {g}"));
    let says = format!("takes the data{generation} that {owner} wrote for its own, as an operator ordered: it goes on as member {member}");
    Some(Decision::act(Phase::Recovering, Step::AdoptData { owner: owner.clone(), member }, says))
}

/// The member whose data it is, if that was the only voter of the generation that stands, and its instance is gone.
fn may_adopt(s: &Situation<'_>, moved: &MovedVolume) -> Result<MemberId, String> {
    let MovedVolume { owner, data } = moved;
    if s.seen.me.role != Role::Etcd {
        return Err("a distribution of Kubernetes keeps its etcd itself".to_owned());
    }
    let Charter::Known(record) = &s.charter else { return Err("the charter cannot be read, or holds nothing".to_owned()) };
    if record.state != State::Established || data.generation != Some(record.generation) || data.cluster != record.etcd_cluster {
        return Err(format!("it is not of what stands established, {record}"));
    }
    let member = data.member.ok_or("etcd never got so far as to write its log there")?;
    if record.voters != [ListedVoter { instance: owner.clone(), member }] {
        return Err(format!("{owner} was not the only voter, by {record}: put its data away, and this instance joins afresh"));
    }
    if !s.is_gone(owner) {
        return Err(format!("EC2 does not say that {owner} has ended: while it may come back, two could go on from one history"));
    }
    if s.is_stopped() { Ok(member) } else { Err("whether etcd runs here is not known, or it does".to_owned()) }
}

/// The others are told where the member is now, before anything rests on it.
pub(super) fn settle(s: &Situation<'_>) -> Option<Decision> {
    update_peer_url(s).or_else(|| charter::reconcile(s).filter(|_| is_listed_elsewhere(s)))
}

/// The charter still lists this disk's member under the instance that its volume came from.
fn is_listed_elsewhere(s: &Situation<'_>) -> bool {
    let Some((mine, record)) = s.my_member().zip(s.record()) else { return false };
    record.voters.iter().any(|v| v.member == mine.id && v.instance != *s.me())
}

/// etcd takes a member's peer address from its data, and not from its command line, once it has started (etcd server/etcdserver: `haveWAL`).
fn update_peer_url(s: &Situation<'_>) -> Option<Decision> {
    let member = s.my_member().filter(|m| s.seen.me.role == Role::Etcd && m.name.as_ref() == Some(s.me()))?;
    let peer_url = s.seen.me.role.peer_url(s.seen.me.address);
    if member.peer_url == peer_url || s.memory.waits("peer-url", s.now) {
        return None;
    }
    let says = format!("lists its member at {peer_url}, where its volume is now, instead of {}", member.peer_url);
    let step = Step::UpdatePeerUrl { via: s.via_any()?, member: member.id, peer_url };
    Some(Decision::act(Phase::Voter, step, says).under_lock("list its new address"))
}

/// A voter whose instance is at another address than etcd lists: whoever joined now could not reach it.
pub(super) fn not_at_its_address(s: &Situation<'_>, membership: &Membership) -> Option<(MemberId, InstanceId)> {
    membership.voters().find_map(|member| {
        let instance = member.name.clone()?;
        let address = s.memory.kept.seen.get(&instance)?.address?;
        (s.seen.me.role.peer_url(address) != member.peer_url).then_some((member.id, instance))
    })
}
