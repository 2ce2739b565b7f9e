//! What is due when. Timers are never cancelled: a stale one is recognised by its epoch when it fires.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use quorate_core::time::Timestamp;

/// Something due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A change of the machine; stale once its machine epoch moved on.
    Machine { slot: usize, epoch: u32, change: MachineChange },
    /// A change of its place in the group; stale once its lifecycle epoch moved on.
    Member { slot: usize, epoch: u32, change: MemberChange },
    /// The group looks at the health of an instance.
    Health { slot: usize },
    /// The deadline of a lifecycle action, which heartbeats may have moved on.
    Deadline { action: usize },
    /// The next step of a group's instance refresh.
    Refresh { group: usize },
}

/// What happens to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MachineChange {
    /// It is powered on.
    Boot,
    /// It is powered off for good.
    PowerOff,
    /// EC2 notices that its hardware is gone.
    Lost,
}

/// What happens to an instance in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MemberChange {
    /// The way into service is prepared.
    Prepared,
    /// IMDS says that it is leaving.
    TargetTerminated,
    /// IMDS says that it returns to the warm pool.
    TargetWarmed,
    /// The load balancers have let go of it.
    Deregistered,
    /// Its `:Proceed` state is over.
    Proceed,
    /// It drops out of the group's list.
    Departed,
}

/// The queue; timers due at the same moment fire in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, u64, Timer)>>,
    sequence: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Timestamp, timer: Timer) {
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, timer)));
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, _, timer))| (at, timer))
    }
}
