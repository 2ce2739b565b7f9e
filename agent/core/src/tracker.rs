//! How an agent's memory follows the world: which agents were heard, what EC2 said, how long a state has lasted, how its steps ended.
//!
//! It stands above the situation and the rules, because how long something has held can only be counted by code that knows what holds.

mod hooks;
mod instances;
mod keys;
mod lasting;
mod outcome;
mod snapshots;
mod waits;

use std::time::Duration;

use crate::certificates::Certificates;
use crate::charter::{Record, StoreView};
use crate::memory::Memory;
use crate::observation::{Observation, Process};
use crate::policy::Policy;
use crate::situation::{Charter, Situation};
use crate::time::Timestamp;

pub use outcome::{is_only_early, note, note_asked};
pub use waits::{note_wait, overdue};

/// Takes in what was observed, before a decision.
///
/// # Guarantees
/// Pure; taking in the same observation a second time at the same moment changes nothing.
///
/// # Assumptions
/// The caller writes [`Memory::kept`] to the disk if it changed, before any step.
pub fn absorb(memory: &mut Memory, seen: &Observation, policy: &Policy, now: Timestamp) {
    forget_silence_while_blind(memory, policy, now);
    instances::absorb(memory, seen, policy, now);
    absorb_leader(memory, seen, now);
    keys::absorb(memory, seen);
    instances::absorb_callers(memory, seen, policy, now);
    absorb_record(memory, seen, policy, now);
    absorb_pause(memory, seen);
    absorb_trust(memory, seen);
    snapshots::absorb(memory, seen, policy, now);
    lasting::absorb(memory, seen, policy, now);
    memory.absorbed = Some(now);
}

/// A start that follows reads the files as they are now, or as they are later, which the next look at a stopped etcd shows.
fn absorb_trust(memory: &mut Memory, seen: &Observation) {
    let own = seen.local.certificates.fresh().map(Certificates::trust);
    if own.is_some() && matches!(seen.local.process.fresh(), Some(Process::Stopped { .. })) {
        memory.kept.loaded = own;
    }
}

/// Discounts silence from the time when this node itself was not looking: suspended, frozen, or starved.
fn forget_silence_while_blind(memory: &mut Memory, policy: &Policy, now: Timestamp) {
    let gap = memory.absorbed.map_or(Duration::ZERO, |at| now.since(at));
    let Some(blind) = gap.checked_sub(policy.stale_after * 2) else { return };
    let shift = |at: &mut Timestamp| *at = *at + blind;
    memory.instances.heard.values_mut().chain(memory.instances.watched.values_mut()).for_each(shift);
    let quorum = &mut memory.quorum;
    let lasting = [&mut quorum.lost_since, &mut quorum.absent_since, &mut memory.local.silent_since, &mut memory.may_claim];
    lasting.into_iter().flatten().for_each(shift);
    quorum.learner.iter_mut().for_each(|watch| shift(&mut watch.progress_at));
    memory.waits.values_mut().for_each(|waited| {
        shift(&mut waited.since);
        shift(&mut waited.last);
    });
    // Another member may have led meanwhile.
    quorum.led = None;
    quorum.unattended = None;
    quorum.unstarted = None;
}

/// Remembers the leader and since when it leads: the agent beside the previous leader may have acted without this one learning of it.
fn absorb_leader(memory: &mut Memory, seen: &Observation, now: Timestamp) {
    let leader = seen.etcd.membership.fresh().and_then(|membership| membership.leader);
    let led = memory.quorum.led;
    memory.quorum.led = leader.map(|leader| led.filter(|(known, _)| *known == leader).unwrap_or((leader, now)));
}

/// Remembers the highest record that may be acted on. Without a store the peers' records serve as the log.
fn absorb_record(memory: &mut Memory, seen: &Observation, policy: &Policy, now: Timestamp) {
    let highest = match &Situation::new(seen, memory, policy, now).charter {
        Charter::Known(record) if record.belongs_to(&seen.me) => Some((*record).clone()),
        _ => None,
    };
    if let Some(record) = highest {
        memory.kept.forgotten = false;
        remember(memory, record);
    }
    if matches!(seen.store.fresh(), Some(StoreView::NotConfigured)) {
        let told = seen.peers.values().filter_map(|p| p.fresh()).filter_map(|p| p.record.as_ref());
        let best = told.filter(|r| r.belongs_to(&seen.me)).max_by_key(|r| r.number).cloned();
        best.into_iter().for_each(|r| remember(memory, r));
    }
    for voter in memory.kept.record.iter().flat_map(|r| &r.voters) {
        if !memory.instances.watched.contains_key(&voter.instance) {
            memory.instances.watched.insert(voter.instance.clone(), now);
        }
    }
}

/// Remembers what etcd says of a pause, by the word of a quorum of this cluster's own etcd.
fn absorb_pause(memory: &mut Memory, seen: &Observation) {
    let Some((membership, pause)) = seen.etcd.membership.fresh().zip(seen.etcd.pause.fresh()) else { return };
    let named = memory.kept.record.as_ref().and_then(|r| r.etcd_cluster);
    if named.is_none_or(|cluster| cluster == membership.cluster) {
        memory.kept.pausing.read(pause.as_ref());
    }
}

fn remember(memory: &mut Memory, record: Record) {
    if memory.kept.record.as_ref().is_none_or(|known| known.number < record.number) {
        memory.kept.record = Some(record);
    }
}
