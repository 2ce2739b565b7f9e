//! How much time this node has left to leave.

use std::time::Duration;

use crate::observation::{Hook, Transition};

use super::facts::Facts;
use super::notices;

/// Whether so little is left of the hook's time, or of the machine's, that the policy decides.
pub(super) fn out_of_time(f: &Facts<'_>) -> bool {
    if notices::machine_is_taken(f).is_some_and(|at| f.now + f.policy.leave_margin >= at) {
        return true;
    }
    let hooks = f.seen.cloud.hooks.last().into_iter().flatten();
    let own = hooks.into_iter().filter(|h| h.transition == Transition::Terminating && h.hook.group == f.seen.me.group);
    let mut ends = own.filter_map(|h| {
        let beat = f.memory.hooks.heartbeats.get(&h.hook)?;
        Some((beat.accepted.unwrap_or(beat.opened) + h.heartbeat_timeout).min(beat.opened + h.global_timeout))
    });
    ends.any(|end| f.now + f.policy.leave_margin >= end)
}

/// The same, also for a leaving node that has no hook or whose hook was not seen open yet: its time counts from the notice.
pub(super) fn little_time_is_left(f: &Facts<'_>) -> bool {
    little_time_is_left_for(f, f.policy.leave_margin)
}

/// The same, if what is still to do takes this long.
pub(super) fn little_time_is_left_for(f: &Facts<'_>, margin: Duration) -> bool {
    let since = f.gate.told_since().unwrap_or(f.now);
    let hooks = f.seen.cloud.hooks.last().into_iter().flatten();
    let own = hooks.filter(|h| h.transition == Transition::Terminating && h.hook.group == f.seen.me.group);
    let end = |h: &Hook| {
        let beat = f.memory.hooks.heartbeats.get(&h.hook);
        let opened = beat.map_or(since, |b| b.opened);
        (beat.and_then(|b| b.accepted).unwrap_or(opened) + h.heartbeat_timeout).min(opened + h.global_timeout)
    };
    let (hooked, taken) = (own.map(end).min(), notices::machine_is_taken(f));
    let unhooked = hooked.is_none() && (taken.is_none() || notices::its_group_sends_it_away(f));
    let ends = [hooked, taken, unhooked.then_some(since + f.policy.unhooked_leave)];
    ends.into_iter().flatten().any(|end| f.now + margin >= end)
}
