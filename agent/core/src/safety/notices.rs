//! Whether this node has to leave, and when its machine is taken: the gate's own reading of the notices.

use crate::memory::Order;
use crate::observation::{EventCode, EventState, LifecycleState, ShutdownKind, Warmed};
use crate::policy::OnRebalance;
use crate::time::Timestamp;

use super::facts::Facts;
use super::refusal::InstanceFault;
use super::verdict::{Verdict, require};

/// Whether its group, an operator, EC2 or the operating system says that this node has to leave. What IMDS once said counts until it says otherwise: its
/// silence takes nothing back.
pub(super) fn is_told_to_leave(f: &Facts<'_>) -> bool {
    let ordered = f.memory.kept.order == Some(Order::Leave);
    its_group_sends_it_away(f) || ordered || is_recommended(f) || machine_is_taken(f).is_some()
}

pub(super) fn leaves(f: &Facts<'_>) -> Verdict {
    require(is_told_to_leave(f), InstanceFault::NotLeaving)
}

pub(super) fn stays(f: &Facts<'_>) -> Verdict {
    require(!is_told_to_leave(f), InstanceFault::Leaving)
}

/// Whether EC2 sees a risk, the policy heeds that, and the launch is over.
fn is_recommended(f: &Facts<'_>) -> bool {
    let launches = matches!(f.seen.cloud.own_state.last(), Some(LifecycleState::PendingWait | LifecycleState::Warmed(Warmed::Waiting)));
    let recommended = matches!(f.seen.notices.rebalance.last(), Some(Some(_)));
    recommended && !launches && f.policy.on_rebalance == OnRebalance::Leave
}

/// Whether IMDS says that the instance leaves its group, for whatever reason, or its own state or its group's list says that it is terminated or that its
/// root volume is replaced.
pub(super) fn its_group_sends_it_away(f: &Facts<'_>) -> bool {
    let own = &f.seen.cloud.own_state;
    let listed = f.seen.cloud.listed.fresh().and_then(|l| l.get(f.me())).map(|i| i.state);
    let target = f.seen.target.last().copied().flatten();
    // The list may be ten minutes old, and the own state newer.
    let listed_volume = listed.filter(|_| own.fresh().is_none()).is_some_and(replaces_its_volume);
    target.is_some_and(sends_away)
        || own.last().copied().is_some_and(|state| terminates(state) || replaces_its_volume(state))
        || listed.is_some_and(terminates)
        || listed_volume
}

/// Whether the instance itself is taken. An operator's order, a recommendation or a detachment leaves it running, and so does a group that retains it.
pub(super) fn instance_goes(f: &Facts<'_>) -> bool {
    let own = f.seen.cloud.own_state.last().copied();
    let listed = f.seen.cloud.listed.fresh().and_then(|l| l.get(f.me())).map(|i| i.state);
    let retained = own.or(listed) == Some(LifecycleState::TerminatingRetained);
    let runs_on = |state| retained || state == LifecycleState::Detached;
    let places = [f.seen.target.last().copied().flatten(), own, listed];
    places.into_iter().flatten().any(|state| sends_away(state) && !runs_on(state)) || machine_is_taken(f).is_some()
}

fn sends_away(state: LifecycleState) -> bool {
    terminates(state) || replaces_its_volume(state) || matches!(state, LifecycleState::Detached | LifecycleState::Warmed(_))
}

fn terminates(state: LifecycleState) -> bool {
    use LifecycleState::{Terminated, Terminating, TerminatingProceed, TerminatingRetained, TerminatingWait};
    matches!(state, Terminating | TerminatingWait | TerminatingProceed | TerminatingRetained | Terminated)
}

fn replaces_its_volume(state: LifecycleState) -> bool {
    matches!(state, LifecycleState::ReplacingRootVolume | LifecycleState::ReplacingRootVolumeWait)
}

/// When EC2 or the operating system takes the machine, however much time a hook still allows.
pub(super) fn machine_is_taken(f: &Facts<'_>) -> Option<Timestamp> {
    let spot = f.seen.notices.spot.last().and_then(|spot| spot.as_ref()).map(|spot| spot.at);
    let off = f.seen.local.shutdown.filter(|s| s.kind == ShutdownKind::PowerOff).map(|s| s.deadline);
    let events = f.seen.notices.scheduled.last().into_iter().flatten();
    let stops =
        events.filter(|e| e.state == EventState::Active && [EventCode::InstanceStop, EventCode::InstanceRetirement].contains(&e.code));
    let begins = stops.map(|e| e.not_before).filter(|at| *at <= f.now + f.policy.scheduled_lead).min();
    [spot, off, begins].into_iter().flatten().min()
}
