//! Torn worlds: each part is plausible on its own, most parts fit together, and any of them may be stale, unknown, or from another story.

mod cloud;
mod etcd;
mod notices;
mod past;
mod reattached;
mod records;
mod snapshots;
pub(crate) mod tls;
mod versions;

use std::time::Duration;

use quorate_core::agent_key::AgentKey;
use quorate_core::charter::Record;
use quorate_core::ids::Generation;
use quorate_core::memory::{Ending, HeardAs, HookHeartbeat, KnownInstance, LearnerWatch, Leave, Order};
use quorate_core::observation::{ControlPlane, DataClaim, DataIdentity, LocalData, PeerAnswer, Process};
use quorate_core::pausing::{Pausing, Wish};
use quorate_core::policy::{OnFailedLeave, Recovery};
use quorate_core::reading::Reading;
use quorate_core::report::Phase;

use super::dice::Dice;
use super::world::{NAMES, NOW, World, address, cluster, instance, member, pause};

/// What the parts of one world have in common, unless they are torn.
pub(crate) struct Plot {
    /// The log of all records that were ever written.
    pub(crate) records: Vec<Record>,
    /// The number of instances that take part.
    pub(crate) size: usize,
    /// Each instance's disk: the generation and member whose data it holds.
    pub(crate) disks: Vec<Option<(Generation, usize)>>,
    /// How calm the world is: a part is torn about once in this many times.
    pub(crate) calm: u8,
}

pub(crate) fn world(dice: &mut Dice<'_>) -> World {
    let mut w = World::new();
    let calm = *dice.pick(&[40, 12, 4]);
    let size = 1 + dice.below(NAMES.len());
    let records = records::log(dice, size);
    let disks = (0..size).map(|index| disk(dice, &records, index)).collect();
    let plot = Plot { records, size, disks, calm };
    w.policy.network_trusted = !dice.one_in(4);
    w.policy.recovery = *dice.pick(&[Recovery::Safe, Recovery::Safe, Recovery::Any, Recovery::Halt]);
    w.policy.on_failed_leave = if dice.one_in(5) { OnFailedLeave::Abandon } else { OnFailedLeave::Continue };
    w.policy.max_voters = *dice.pick(&[7, 3, 2, 1]);
    w.policy.target_groups = vec!["arn:a".into()];
    records::store(&mut w, &plot, dice);
    cloud::cloud(&mut w, &plot, dice);
    local(&mut w, &plot, dice);
    etcd::etcd(&mut w, &plot, dice);
    for index in 1..size {
        let answer = answer(&plot, dice, index);
        let at = NOW - Duration::from_secs(dice.below(5) as u64);
        let reading = if dice.one_in(4) { Reading::unknown("silent") } else { Reading::Fresh(answer, at) };
        w.seen.peers.insert(instance(index), aged(dice, &plot, reading));
    }
    notices::notices(&mut w, &plot, dice);
    remember(&mut w, &plot, dice);
    snapshots::snapshots(&mut w, dice);
    reattached::reattached(&mut w, &plot, dice);
    etcd::out_of_space(&mut w, dice);
    versions::versions(&mut w, &plot, dice);
    tls::tls(&mut w, &plot, dice);
    past::past(&mut w, &plot);
    w
}

/// The reading, mostly as it is; sometimes stale, sometimes unknown.
pub(crate) fn aged<T>(dice: &mut Dice<'_>, plot: &Plot, reading: Reading<T>) -> Reading<T> {
    if dice.one_in(plot.calm) {
        return Reading::unknown("lost");
    }
    match reading {
        Reading::Fresh(value, at) if dice.one_in(plot.calm) => Reading::Stale(value, at - Duration::from_secs(60)),
        other => other,
    }
}

fn disk(dice: &mut Dice<'_>, records: &[Record], index: usize) -> Option<(Generation, usize)> {
    if dice.one_in(3) {
        return None;
    }
    let record = records.get(dice.below(records.len() + 1)).or_else(|| records.last())?;
    Some((record.generation, dice.below(2)))
        .filter(|_| record.lists(&instance(index)) || record.founder() == Some(&instance(index)) || dice.one_in(3))
}

fn local(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    let data = match plot.disks[0] {
        None => LocalData::Empty,
        Some((generation, life)) => {
            let written = !dice.one_in(10);
            LocalData::Present(DataIdentity {
                cluster: written.then(|| cluster(usize::try_from(generation.0).unwrap() + 1)),
                member: written.then(|| member(0, life)),
                generation: (!dice.one_in(15)).then_some(generation),
                version: None,
            })
        }
    };
    let runs = matches!(data, LocalData::Present(_)) ^ dice.one_in(3);
    let process = if runs {
        Process::Running { since: NOW - Duration::from_secs(600), loopback_only: dice.one_in(5) }
    } else {
        Process::Stopped { last_exit: None }
    };
    w.seen.local.data = aged(dice, plot, Reading::Fresh(data, NOW));
    w.seen.local.process = aged(dice, plot, Reading::Fresh(process, NOW));
    w.seen.local.ran_this_boot = !dice.one_in(4);
    w.seen.local.superseded = dice.one_in(5);
}

fn answer(plot: &Plot, dice: &mut Dice<'_>, index: usize) -> PeerAnswer {
    let data = match plot.disks[index] {
        _ if dice.one_in(12) => DataClaim::Unknown,
        None => DataClaim::None,
        Some((generation, life)) => DataClaim::Holds {
            cluster: cluster(usize::try_from(generation.0).unwrap() + 1),
            member: member(index, life),
            generation: (!dice.one_in(15)).then_some(generation),
            voter: *dice.pick(&[Some(true), Some(true), Some(false), None]),
            term: Some(2),
            applied: *dice.pick(&[Some(1000), Some(999), Some(1001), None]),
            revision: *dice.pick(&[Some(1000), Some(999), Some(1001), None]),
        },
    };
    let heard = plot.records.len().saturating_sub(dice.below(2));
    let record = plot.records.get(heard.wrapping_sub(1)).filter(|_| !dice.one_in(6)).cloned();
    let phase = *dice.pick(&[Phase::Voter, Phase::Waiting, Phase::Leaving, Phase::Warm]);
    let leaving = dice.one_in(6);
    let quorum = dice.one_in(plot.calm).then(|| cluster(dice.below(2)));
    PeerAnswer {
        instance: instance(index),
        phase,
        record,
        data,
        quorum,
        control_plane: ControlPlane::default(),
        etcd: None,
        refused: None,
        received: None,
        leaving,
        leave_within_ms: None,
        signed_by: if dice.one_in(plot.calm) { dice.flip().then(|| key(99)) } else { Some(key(index)) },
        certificates: None,
        certified: false,
    }
}

/// An operator has paused something, here or elsewhere, or has ended a pause.
fn pausing(w: &mut World, dice: &mut Dice<'_>) {
    let some = |dice: &mut Dice<'_>| dice.flip().then(|| pause(dice.below(2) as u64));
    let (own, cluster, overridden, read) = (some(dice), some(dice), some(dice), some(dice));
    let wish = match dice.below(4) {
        0 => Some(Wish::Pause(pause(0))),
        1 => Some(Wish::Resume),
        _ => None,
    };
    w.memory.kept.pausing = Pausing { own: own.filter(|_| dice.flip()), cluster, overridden, wish };
    w.seen.etcd.pause = if dice.flip() { Reading::Fresh(read, NOW) } else { Reading::unknown("no quorum") };
}

fn key(whose: usize) -> AgentKey {
    AgentKey::new([u8::try_from(whose).unwrap(); 32])
}

fn order(dice: &mut Dice<'_>) -> Option<Order> {
    match dice.below(12) {
        0 | 1 => Some(Order::Leave),
        2 | 3 => Some(Order::RecoverFresh),
        4 => Some(Order::Bootstrap),
        5 => Some(Order::RecoverSnapshot { key: None }),
        6 => Some(Order::RecoverSurvivor { although_voters_differ: dice.flip() }),
        _ => None,
    }
}

/// A memory that this node could have after some other past. It then takes in what it sees, unless that has been forgotten.
fn remember(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    let ago = |secs: usize| NOW - Duration::from_secs(secs as u64);
    let known = plot.records.len().saturating_sub(dice.below(3));
    w.memory.kept.record = plot.records.get(known.wrapping_sub(1)).filter(|_| !dice.one_in(4)).cloned();
    w.memory.kept.order = order(dice);
    for index in 0..NAMES.len() {
        if dice.one_in(3) {
            let seen = KnownInstance { group: Some("g".into()), address: Some(address(index)), launched: Some(ago(1000)) };
            w.memory.kept.seen.insert(instance(index), seen);
        }
        if index > 0 && dice.one_in(6) {
            let last = dice.below(90);
            w.memory.instances.not_found.insert(instance(index), (ago(90 * 60), ago((90 - last) * 60)));
        }
        let heard = *dice.pick(&[0, 1, 30, 61, 300]);
        w.memory.instances.heard.insert(instance(index), ago(heard));
        if dice.flip() {
            let key = key(index);
            let held = dice.flip().then(|| (cluster(1 + dice.below(2)), member(index, dice.below(2))));
            w.memory.instances.heard_as.insert(instance(index), HeardAs { key, held });
        }
    }
    w.memory.joining = Duration::from_secs(*dice.pick(&[0, 0, 599, 700]));
    w.memory.local.starts = (0..dice.below(6)).map(|n| ago(n * 20 + 1)).collect();
    w.memory.claimed = dice.flip().then(|| (1 + dice.below(plot.records.len() + 1) as u64, ago(dice.below(4))));
    let watch = LearnerWatch {
        member: member(dice.below(plot.size), 0),
        least_lag: 100,
        received: 0,
        progress_at: ago(*dice.pick(&[0, 299, 301])),
        caught_up: u32::try_from(dice.below(5)).unwrap(),
        counted_at: ago(2),
    };
    w.memory.quorum.learner = dice.flip().then_some(watch);
    for hook in w.seen.cloud.hooks.last().into_iter().flatten() {
        let opened = ago(dice.below(200) * 10);
        let accepted = dice.flip().then(|| ago(dice.below(20) * 10));
        w.memory.hooks.heartbeats.insert(hook.hook.clone(), HookHeartbeat { opened, accepted, tried: accepted });
    }
    let since = |dice: &mut Dice<'_>| dice.flip().then(|| ago(*dice.pick(&[1, 299, 301, 700])));
    w.memory.leaving = since(dice).map(Leave::begun);
    (w.memory.quorum.lost_since, w.memory.local.silent_since) = (since(dice), since(dice));
    w.memory.ending = match (dice.one_in(4), dice.one_in(4)) {
        (false, false) => Ending::None,
        (false, true) => Ending::Retiring,
        (true, true) => Ending::Saved,
        (true, false) => Ending::Stopped,
    };
    if dice.one_in(12) {
        pausing(w, dice);
    }
    let absorbs = !dice.one_in(plot.calm);
    // Separate dice, so these draws change nothing else in the world.
    let seed = w.seen.etcd.membership.last().and_then(|m| m.leader).map_or(0, |leader| leader.0) ^ w.memory.local.starts.len() as u64;
    let bytes = super::survey::bytes(
        seed ^ (w.memory.joining.as_secs() << 8) ^ w.memory.instances.heard.values().fold(0, |sum, at| sum ^ (at.0 << 16)),
    );
    let dice = &mut Dice::new(&bytes);
    cloud::places(w, plot, dice);
    let led = w.seen.etcd.membership.last().and_then(|m| m.leader).unwrap_or(member(0, 0));
    w.memory.quorum.led = (!dice.one_in(5)).then(|| (led, ago(*dice.pick(&[1, 5, 7, 300, 300, 300]))));
    w.memory.hooks.tried_for = dice.one_in(6).then(|| (instance(dice.below(plot.size)), ago(*dice.pick(&[0, 2])))).into_iter().collect();
    if absorbs {
        w.memory.absorbed = Some(ago(2));
        quorate_core::tracker::absorb(&mut w.memory, &w.seen, &w.policy, w.now);
    }
}
