//! What AWS says in a torn world.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_core::observation::{Ec2Answer, Ec2State, Group, Hook, HookRef, LifecycleState, ListedInstance, Transition, Warmed};
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use super::{Plot, aged};
use crate::property::dice::Dice;
use crate::property::world::{NAMES, NOW, World, address, instance};

const STATES: &[LifecycleState] = &[
    LifecycleState::InService,
    LifecycleState::InService,
    LifecycleState::PendingWait,
    LifecycleState::TerminatingWait,
    LifecycleState::Terminating,
    LifecycleState::Pending,
    LifecycleState::Warmed(Warmed::Stopped),
    LifecycleState::Warmed(Warmed::Waiting),
];
const EC2: &[Ec2State] =
    &[Ec2State::Running, Ec2State::Running, Ec2State::Terminated, Ec2State::ShuttingDown, Ec2State::Stopped, Ec2State::Pending];

pub(super) fn cloud(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    let everyone = (0..plot.size).filter(|index| if *index == 0 { !dice.one_in(15) } else { !dice.one_in(5) }).collect::<Vec<_>>();
    let entry = |dice: &mut Dice<'_>| ListedInstance { group: "g".into(), state: *dice.pick(STATES) };
    let listed = everyone.into_iter().map(|index| (instance(index), entry(dice))).collect();
    w.seen.cloud.listed = aged(dice, plot, Reading::Fresh(listed, NOW));
    let tagged = (0..NAMES.len()).filter(|index| if *index == 0 { !dice.one_in(15) } else { dice.flip() }).map(instance).collect();
    w.seen.cloud.tagged = aged(dice, plot, Reading::Fresh(tagged, NOW));
    let desired = u32::try_from(dice.below(5)).unwrap();
    let groups = vec![Group { name: "g".into(), desired, retains_on_abandon: false, suspended: BTreeSet::new() }];
    w.seen.cloud.groups = aged(dice, plot, Reading::Fresh(groups, NOW));
    for index in 1..plot.size {
        let known = Ec2Answer::Known { state: *dice.pick(EC2), address: Some(address(index)), launched: Some(Timestamp(20_000)) };
        let answer = if dice.one_in(8) { Ec2Answer::NotFound } else { known };
        w.seen.cloud.asked.insert(instance(index), aged(dice, plot, Reading::Fresh(answer, NOW)));
    }
    let hook = |name: &'static str, transition| Hook {
        hook: HookRef { group: "g".into(), name: name.into() },
        transition,
        heartbeat_timeout: Duration::from_secs(300),
        global_timeout: Duration::from_secs(30_000),
    };
    let hooks = vec![hook("quorate-launching", Transition::Launching), hook("quorate-terminating", Transition::Terminating)];
    w.seen.cloud.hooks = aged(dice, plot, Reading::Fresh(hooks, NOW));
    let own_state = *dice.pick(STATES);
    w.seen.cloud.own_state = aged(dice, plot, Reading::Fresh(own_state, NOW));
    let target = *dice.pick(&[
        None,
        Some(LifecycleState::InService),
        Some(LifecycleState::InService),
        Some(LifecycleState::Terminated),
        Some(LifecycleState::Detached),
        Some(LifecycleState::Warmed(Warmed::Stopped)),
    ]);
    w.seen.target = aged(dice, plot, Reading::Fresh(target, NOW));
}

/// The listed instances' own entries, drawn last so that everything drawn before stays as it was.
pub(super) fn places(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    for (id, entry) in w.seen.cloud.listed.last().cloned().into_iter().flatten() {
        let place = if !dice.one_in(4) { Some(entry.state) } else { Some(*dice.pick(STATES)).filter(|_| dice.flip()) };
        w.seen.cloud.places.insert(id, aged(dice, plot, Reading::Fresh(place, NOW)));
    }
}
