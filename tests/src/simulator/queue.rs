//! What happens when, in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use quorate_core::time::Timestamp;

/// Something that happens. An agent's events carry its epoch: those of an agent that has died since are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// etcd's beat, and the client's write.
    Tick,
    /// An agent starts.
    Start { node: usize, epoch: u32 },
    /// An agent looks and decides.
    Look { node: usize, epoch: u32 },
    /// An agent's step takes effect.
    Act { node: usize, epoch: u32 },
    /// A machine's operating system has shut down.
    Off { node: usize, epoch: u32 },
    /// The snapshot that an agent takes is over.
    Upload { node: usize, epoch: u32 },
    /// A suspended machine resumes.
    Thaw { node: usize },
    /// A fault of the schedule sets in.
    Fault(usize),
    /// It is over.
    Ease(usize),
}

/// The queue; what is due at the same moment comes in the order in which it was set.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn set(&mut self, at: Timestamp, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, event)));
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Timestamp, Event)> {
        self.heap.pop().map(|Reverse((at, _, event))| (at, event))
    }
}
