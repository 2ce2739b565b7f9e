//! The etcd cluster in a torn world.

use std::time::Duration;

use quorate_core::ids::MemberId;
use quorate_core::memory::Leave;
use quorate_core::observation::{Alarm, LifecycleState, Lock, Member, MemberStatus, Membership, PeerUrl};
use quorate_core::plan::{client_url, peer_url};
use quorate_core::reading::Reading;
use quorate_core::transport::Transport;

use super::{Plot, aged, records};
use crate::property::dice::Dice;
use crate::property::world::{NOW, World, address, cluster, instance, member};

pub(super) fn etcd(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    let generation = plot.records.last().map_or(1, |r| r.generation.0) + u64::from(dice.one_in(plot.calm));
    let listed: Vec<(usize, MemberId)> = match plot.records.last().filter(|_| !dice.one_in(plot.calm)) {
        Some(record) => record.voters.iter().filter_map(|v| index_of(plot, &v.instance).map(|i| (i, v.member))).collect(),
        None => records::voters(dice, plot.size).iter().filter_map(|v| index_of(plot, &v.instance).map(|i| (i, v.member))).collect(),
    };
    let transport = plot.records.last().map_or(Transport::Plain, |r| r.transport);
    let mut members: Vec<Member> = listed.into_iter().filter(|_| !dice.one_in(9)).map(|(i, id)| voter(i, id, transport)).collect();
    add_learner(&mut members, plot, transport, dice);
    if dice.one_in(plot.calm) {
        members.push(Member::stranger(MemberId(0xf6), dice.flip(), "db"));
    }
    let voters: Vec<MemberId> = members.iter().filter(|m| !m.learner).map(|m| m.id).collect();
    let pick = |dice: &mut Dice<'_>| voters.get(dice.below(voters.len().max(1))).copied();
    let membership = Membership {
        cluster: cluster(usize::try_from(generation).unwrap() + 1),
        leader: pick(dice).filter(|_| !dice.one_in(9)),
        via: pick(dice).unwrap_or(member(0, 0)),
        members: members.clone(),
    };
    statuses(w, plot, dice, &membership);
    let has_quorum = !voters.is_empty() && dice.flip();
    w.seen.etcd.local_list = aged(dice, plot, Reading::Fresh(members, NOW));
    let reading = if has_quorum { Reading::Fresh(membership, NOW) } else { Reading::unknown("no quorum") };
    w.seen.etcd.membership = aged(dice, plot, reading);
    lock(w, plot, dice);
}

fn index_of(plot: &Plot, id: &quorate_core::ids::InstanceId) -> Option<usize> {
    (0..plot.size).find(|index| instance(*index) == *id)
}

fn voter(index: usize, id: MemberId, transport: Transport) -> Member {
    Member {
        id,
        name: Some(instance(index)),
        peer_url: PeerUrl::At(peer_url(address(index), transport)),
        client_url: Some(client_url(address(index), transport)),
        learner: false,
    }
}

fn add_learner(members: &mut Vec<Member>, plot: &Plot, transport: Transport, dice: &mut Dice<'_>) {
    if !dice.one_in(3) {
        return;
    }
    if dice.flip() {
        // The charter names the learner before it is promoted.
        let at = dice.below(members.len().max(1));
        members.iter_mut().skip(at).take(1).for_each(|m| m.learner = true);
        return;
    }
    let index = if dice.flip() { 0 } else { dice.below(plot.size) };
    if dice.one_in(plot.calm) || members.iter().all(|m| m.name.as_ref() != Some(&instance(index))) {
        let named = !dice.one_in(3);
        let entry = voter(index, member(index, 1), transport);
        members.push(Member { learner: true, name: entry.name.filter(|_| named), client_url: entry.client_url.filter(|_| named), ..entry });
    }
}

/// etcd has reached its quota, as every member that answers says.
pub(super) fn out_of_space(w: &mut World, dice: &mut Dice<'_>) {
    if !dice.one_in(8) {
        return;
    }
    for status in w.seen.etcd.statuses.values_mut() {
        if let Reading::Fresh(status, _) | Reading::Stale(status, _) = status {
            status.alarms = vec![Alarm::NoSpace];
        }
    }
    if dice.flip() {
        w.seen.etcd.lock = Reading::Fresh(Lock::Free, NOW);
    }
    if dice.flip() {
        // A leaver that has waited for the lock until little time is left.
        w.memory.leaving = Some(Leave::begun(NOW - Duration::from_secs(*dice.pick(&[1, 20, 45, 100]))));
        w.seen.target = Reading::Fresh(Some(LifecycleState::Terminated), NOW);
        w.seen.cloud.hooks = Reading::Fresh(Vec::new(), NOW);
    }
}

fn statuses(w: &mut World, plot: &Plot, dice: &mut Dice<'_>, membership: &Membership) {
    let own = member(0, plot.disks[0].map_or(0, |(_, life)| life));
    let leaderless = dice.one_in(4);
    let ids: Vec<(MemberId, bool)> = membership.members.iter().map(|m| (m.id, m.learner)).chain([(own, false)]).collect();
    for (id, learner) in ids {
        let applied = *dice.pick(&[1000, 999, 400, 1001]);
        let status = MemberStatus {
            member: id,
            cluster: membership.cluster,
            leader: membership.leader.filter(|_| !leaderless && !dice.one_in(9)),
            learner,
            term: 2,
            index: applied,
            applied,
            revision: Some(applied).filter(|_| !dice.one_in(9)),
            version: None,
            alarms: Vec::new(),
        };
        let reading = if dice.one_in(4) { Reading::unknown("silent") } else { Reading::Fresh(status, NOW) };
        w.seen.etcd.statuses.insert(id, aged(dice, plot, reading));
    }
}

fn lock(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    let secs = |n: usize| Duration::from_secs(n as u64);
    let lock = match dice.below(4) {
        0 | 1 => Lock::Mine { remaining: secs(*dice.pick(&[20, 12, 6, 4])) },
        2 => Lock::Free,
        _ => Lock::Other { holder: instance(1), purpose: "join".into() },
    };
    let at = NOW - secs(dice.below(6));
    w.seen.etcd.lock = aged(dice, plot, Reading::Fresh(lock, at));
}
