//! How long each replacement of a refresh took, without the region's own delays.

use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;

use crate::lab::Lab;
use crate::lab::witness::Sightings;
use crate::region::{Instance, LifecycleState, Region, Transition};

/// One replacement.
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    /// From the start of the new one's agent until it votes.
    pub join: Duration,
    /// From the old one's notice until its termination hook is completed.
    pub leave: Duration,
}

/// Each new instance with the old one that left for it, in their order.
///
/// # Errors
/// Something of one of them was never seen.
pub fn measure(lab: &Lab, old: &[InstanceId], new: &[InstanceId], seen: &Sightings) -> anyhow::Result<Vec<Replacement>> {
    new.iter().zip(old).map(|(new, old)| Ok(Replacement { join: join(lab, new, seen)?, leave: leave(lab, old, seen)? })).collect()
}

fn join(lab: &Lab, new: &InstanceId, seen: &Sightings) -> anyhow::Result<Duration> {
    let started = lab.agent_started(new).with_context(|| format!("the agent of {new} was never started"))?;
    let voted = seen.voting_since.get(new).with_context(|| format!("{new} was never seen to vote"))?;
    Ok(voted.since(started))
}

/// Two stretches: from the notice until it is removed, and from then, or from when the region first takes the completion, until it is
/// accepted. What lies between them is the region's own delay.
fn leave(lab: &Lab, old: &InstanceId, seen: &Sightings) -> anyhow::Result<Duration> {
    let region = lab.region().lock();
    let removed = *seen.removed_at.get(old).with_context(|| format!("{old} was never seen to be removed"))?;
    let instance = region.instance(old).with_context(|| format!("there was no {old}"))?;
    let delays = region.config().delays;
    let noticed = first(instance, LifecycleState::Terminating)? + delays.target;
    let completable = first(instance, LifecycleState::TerminatingWait)? + delays.completion_race;
    let accepted = accepted(&region, old)?;
    Ok(removed.since(noticed) + accepted.since(removed.max(completable)))
}

fn first(instance: &Instance, state: LifecycleState) -> anyhow::Result<Timestamp> {
    let look = instance.history().iter().find(|look| look.lifecycle == state);
    look.map(|look| look.at).with_context(|| format!("{} was never {state}", instance.id))
}

fn accepted(region: &Region, old: &InstanceId) -> anyhow::Result<Timestamp> {
    let action = region.actions().iter().find(|action| action.instance == *old && action.transition == Transition::Terminating);
    let ending = action.and_then(|action| action.ending.as_ref());
    ending.map(|ending| ending.at).with_context(|| format!("the termination of {old} was never completed"))
}
