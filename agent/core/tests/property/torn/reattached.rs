//! A voter's volume on another instance.

use quorate_core::charter::Record;
use quorate_core::memory::Order;
use quorate_core::observation::{DataIdentity, PeerUrl, Process, ReattachedVolume};
use quorate_core::plan::peer_url;
use quorate_core::reading::Reading;

use super::super::dice::Dice;
use super::super::world::{NOW, World, address, cluster, instance, member};
use super::Plot;

pub(super) fn reattached(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    if dice.one_in(4) {
        here(w, plot, dice);
    } else if dice.one_in(4) {
        elsewhere(w, dice);
    }
}

/// A voter's data is on this disk, so the disk counts as unknown.
fn here(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    let Some(voter) = plot.records.last().and_then(|r: &Record| r.voters.get(dice.below(r.voters.len().max(1)))) else { return };
    let generation = plot.records[dice.below(plot.records.len())].generation;
    let number = usize::try_from(generation.0).unwrap() + 1;
    let data = DataIdentity {
        cluster: (!dice.one_in(10)).then(|| cluster(number)),
        member: Some(if dice.one_in(10) { member(1, 1) } else { voter.member }),
        generation: (!dice.one_in(10)).then_some(generation),
        version: None,
    };
    let owner = if dice.one_in(3) { instance(1 + dice.below(plot.size.max(2) - 1)) } else { voter.instance.clone() };
    w.seen.local.reattached = Some(ReattachedVolume { owner, data });
    w.seen.local.data = Reading::unknown("another's volume");
    if !dice.one_in(plot.calm) {
        w.seen.local.process = Reading::Fresh(Process::Stopped { last_exit: None }, NOW);
    }
    if !dice.one_in(3) {
        w.memory.kept.order = Some(Order::RecoverReattachedVolume);
    }
    if dice.flip() {
        w.memory.leaving = None;
    }
}

/// This node's member, which has come from another instance.
fn elsewhere(w: &mut World, dice: &mut Dice<'_>) {
    let own = w.seen.me.instance.clone();
    let Reading::Fresh(membership, _) = &mut w.seen.etcd.membership else { return };
    for entry in membership.members.iter_mut().filter(|m| m.name.as_ref() == Some(&own)) {
        entry.peer_url = PeerUrl::At(peer_url(address(1 + dice.below(2)), w.policy.transport));
    }
}
