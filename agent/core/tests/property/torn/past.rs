//! What came before this moment: the world was different for a while, and the gate looked at it all along.

use std::time::Duration;

use quorate_core::observation::{LifecycleState, Process};
use quorate_core::reading::Reading;

use super::Plot;
use crate::property::dice::Dice;
use crate::property::survey;
use crate::property::world::{NOW, World};

/// How long before this moment the agent began to look.
const BEGAN: Duration = Duration::from_secs(900);

/// Gives the world a past. It draws from separate dice, so these draws change nothing else in the world.
pub(super) fn past(w: &mut World, plot: &Plot) {
    let heard = w.memory.instances.heard.values().fold(0, |sum, at| sum ^ (at.0 << 16));
    let statuses = w.seen.etcd.statuses.len() as u64 + ((w.memory.local.starts.len() as u64) << 4) + ((plot.size as u64) << 8);
    let bytes = survey::bytes(heard ^ statuses ^ (u64::from(plot.calm) << 40));
    let dice = &mut Dice::new(&bytes);
    let changed = NOW - Duration::from_secs(*dice.pick(&[0, 1, 5, 7, 100, 299, 301, 599, 601, 700]));
    let mut before = w.seen.clone();
    if dice.flip() {
        etcd_before(&mut before.etcd, plot, dice);
    }
    if dice.flip() {
        before.local.process = process(dice);
    }
    if dice.flip() {
        before.target = Reading::Fresh(Some(LifecycleState::InService), NOW);
        before.cloud.own_state = Reading::Fresh(LifecycleState::InService, NOW);
        before.local.shutdown = None;
    }
    w.had_been(before, NOW - BEGAN, changed);
}

fn etcd_before(etcd: &mut quorate_core::observation::EtcdView, plot: &Plot, dice: &mut Dice<'_>) {
    match (dice.below(3), &mut etcd.membership) {
        (0, membership) => *membership = Reading::unknown("no quorum yet"),
        (1, Reading::Fresh(membership, _)) => {
            membership.leader = membership.members.get(dice.below(plot.size)).map(|m| m.id);
        }
        _ => {}
    }
    for status in etcd.statuses.values_mut() {
        let Reading::Fresh(status, _) = status else { continue };
        match dice.below(6) {
            0 => status.leader = None,
            1 => status.leader = Some(status.member),
            2 | 3 => status.applied = *dice.pick(&[10, 400, 1000]),
            _ => {}
        }
    }
}

fn process(dice: &mut Dice<'_>) -> Reading<Process> {
    let since = NOW - Duration::from_secs(*dice.pick(&[600, 600, 2]));
    match dice.below(4) {
        0 => Reading::Fresh(Process::Stopped { last_exit: None }, NOW),
        1 => Reading::unknown("lost"),
        _ => Reading::Fresh(Process::Running { since, loopback_only: !dice.one_in(3) }, NOW),
    }
}
