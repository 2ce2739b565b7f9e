//! Why this node is to leave, and by when.

use crate::memory::Order;
use crate::observation::{LifecycleState, ShutdownKind, Transition};
use crate::time::Timestamp;

use super::Situation;

/// Why this node is to leave, and by when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The notice.
    pub why: &'static str,
    /// The nearest deadline, counted from accepted heartbeats only; absent for an operator's order.
    pub deadline: Option<Timestamp>,
    /// The instance itself goes, not just its membership.
    pub instance_goes: bool,
    /// A replacement may come before it has gone, and is worth waiting for.
    pub replacement_may_come: bool,
}

impl Departure {
    /// Of an instance that stays, without a deadline.
    fn of(why: &'static str) -> Self {
        Self { why, deadline: None, instance_goes: false, replacement_may_come: true }
    }
}

/// Why a retained instance leaves.
const RETAINED: &str = "its group gave it up, and retains it until an operator terminates it";

impl Situation<'_> {
    /// The notice to leave, if there is one.
    #[must_use]
    pub fn departure(&self) -> Option<Departure> {
        let power_off = self.seen.local.shutdown.filter(|shutdown| shutdown.kind == ShutdownKind::PowerOff);
        let Some(shutdown) = power_off else { return self.notice() };
        // The group learns of it only when the machine is off: nobody is launched in its place before.
        let off = Departure { instance_goes: true, replacement_may_come: false, ..Departure::of("its machine powers off") };
        let notice = self.notice().unwrap_or(off);
        let deadline = notice.deadline.map_or(shutdown.deadline, |deadline| deadline.min(shutdown.deadline));
        Some(Departure { deadline: Some(deadline), ..notice })
    }

    /// The notice of the group or of an operator.
    fn notice(&self) -> Option<Departure> {
        let notice = |why, deadline| Some(Departure { deadline: Some(deadline), instance_goes: true, ..Departure::of(why) });
        let target = self.seen.target.last().copied().flatten();
        let state = self.seen.cloud.own_state.last().copied();
        match (target, state) {
            // It runs on, and no time runs out, until an operator terminates it.
            _ if self.is_retained() => Some(Departure::of(RETAINED)),
            (Some(LifecycleState::Terminated), _) => notice("its group terminates it", self.hook_deadline()),
            (_, Some(s)) if s.is_terminating() => notice("its group terminates it", self.hook_deadline()),
            _ if self.is_listed_as_terminating() => notice("its group terminates it", self.hook_deadline()),
            // A detached instance runs on, and no hook is waited for.
            (Some(LifecycleState::Detached), _) => Some(Departure::of("its group detached it")),
            (Some(LifecycleState::Warmed(_)), _) => notice("it moves to the warm pool", self.hook_deadline()),
            _ if self.order() == Some(Order::Leave) => Some(Departure::of("an operator ordered it to leave")),
            _ => None,
        }
    }

    /// Its group gave it up and keeps its machine, because its termination was abandoned.
    #[must_use]
    pub fn is_retained(&self) -> bool {
        let listed = self.seen.cloud.listed.fresh().and_then(|l| l.get(self.me())).map(|i| i.state);
        let own = self.seen.cloud.own_state.last().copied();
        own.or(listed) == Some(LifecycleState::TerminatingRetained)
    }

    /// Its group detached it: IMDS is the only one that can say so, because the group lists it no more.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        matches!(self.seen.target.fresh(), Some(Some(LifecycleState::Detached)))
    }

    /// A second source for its own place, should IMDS fail just then.
    fn is_listed_as_terminating(&self) -> bool {
        self.seen.cloud.listed.fresh().and_then(|l| l.get(self.me())).is_some_and(|i| i.state.is_terminating())
    }

    /// When the earliest of our own termination hooks runs out: its timeout after the last accepted heartbeat, and never after its cap.
    fn hook_deadline(&self) -> Timestamp {
        let since = self.memory.leaving.unwrap_or(self.now);
        let hooks = self.seen.cloud.hooks.last().into_iter().flatten();
        let own = hooks.filter(|h| h.transition == Transition::Terminating && h.hook.group == self.seen.me.group);
        let ends = own.map(|h| {
            let beat = self.memory.beats.get(&h.hook);
            let opened = beat.map_or(since, |b| b.opened);
            let accepted = beat.and_then(|b| b.accepted).unwrap_or(opened);
            (accepted + h.heartbeat_timeout).min(opened + h.global_timeout)
        });
        ends.min().unwrap_or(since + self.policy.unhooked_leave)
    }
}
