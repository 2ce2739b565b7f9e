//! Who told this node to leave, and when its machine is taken: the gate's own reading of the notices.

use crate::memory::Order;
use crate::observation::{EventCode, EventState, LifecycleState, ShutdownKind};
use crate::policy::OnRebalance;
use crate::time::Timestamp;

use super::facts::Facts;

/// Somebody who may say so has told this node to leave, and it is leaving. What IMDS once said counts until it says otherwise: its silence takes nothing back.
pub(super) fn is_told_to_leave(f: &Facts<'_>) -> bool {
    let ordered = f.memory.kept.order == Some(Order::Leave);
    let recommended = f.policy.on_rebalance == OnRebalance::Leave && matches!(f.seen.notices.rebalance.last(), Some(Some(_)));
    let told = its_group_sends_it_away(f) || ordered || recommended || machine_is_taken(f).is_some();
    told && f.memory.leaving.is_some()
}

/// IMDS, its own state or its group's list says so.
pub(super) fn its_group_sends_it_away(f: &Facts<'_>) -> bool {
    let target = f.seen.target.last().copied().flatten();
    let listed = f.seen.cloud.listed.fresh().and_then(|l| l.get(f.me())).map(|i| i.state);
    [target, f.seen.cloud.own_state.last().copied(), listed].into_iter().flatten().any(sends_away)
}

/// The instance itself is taken: not by an operator's order, a recommendation or a detachment, which leave it running, nor if its group retains it.
pub(super) fn instance_goes(f: &Facts<'_>) -> bool {
    let own = f.seen.cloud.own_state.last().copied();
    let listed = f.seen.cloud.listed.fresh().and_then(|l| l.get(f.me())).map(|i| i.state);
    let retained = own.or(listed) == Some(LifecycleState::TerminatingRetained);
    let runs_on = |state| retained || state == LifecycleState::Detached;
    let places = [f.seen.target.last().copied().flatten(), own, listed];
    places.into_iter().flatten().any(|state| sends_away(state) && !runs_on(state)) || machine_is_taken(f).is_some()
}

fn sends_away(state: LifecycleState) -> bool {
    use LifecycleState::{Detached, ReplacingRootVolume, ReplacingRootVolumeWait, Terminated, Warmed};
    use LifecycleState::{Terminating, TerminatingProceed, TerminatingRetained, TerminatingWait};
    let by_its_group = matches!(state, Terminating | TerminatingWait | TerminatingProceed | TerminatingRetained | Terminated);
    by_its_group || matches!(state, Detached | Warmed(_) | ReplacingRootVolume | ReplacingRootVolumeWait)
}

/// When EC2 or the operating system takes the machine, whatever any hook still allows.
pub(super) fn machine_is_taken(f: &Facts<'_>) -> Option<Timestamp> {
    let spot = f.seen.notices.spot.last().and_then(|spot| spot.as_ref()).map(|spot| spot.at);
    let off = f.seen.local.shutdown.filter(|s| s.kind == ShutdownKind::PowerOff).map(|s| s.deadline);
    let events = f.seen.notices.scheduled.last().into_iter().flatten();
    let stops =
        events.filter(|e| e.state == EventState::Active && [EventCode::InstanceStop, EventCode::InstanceRetirement].contains(&e.code));
    let begins = stops.map(|e| e.not_before).filter(|at| *at <= f.now + f.policy.scheduled_lead).min();
    [spot, off, begins].into_iter().flatten().min()
}
