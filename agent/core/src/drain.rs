//! Draining a node that is going away: which of its pods to evict next, and when to stop asking politely.
//!
//! kubectl's drain is made for a node that stays (kubernetes/kubectl `pkg/drain`): it lists the pods once, evicts nothing at all if one of them has no
//! controller or holds local data, gives up a pod for good on any answer but 429, and chases a StatefulSet's pod to its next node
//! (kubernetes/kubernetes#138229). A node whose end is certain needs the opposite: a drain that continues where kubectl refuses, asks again whatever the
//! answer was, names each pod by its uid, looks again for pods that have come meanwhile, and is done in time.

mod plan;
mod pod;
mod progress;

use std::time::Duration;

use crate::ids::PodId;
use crate::reading::Reading;
use crate::time::Timestamp;

pub use plan::plan;
pub use pod::{Owner, Pod};
pub use progress::{Progress, Tried};

/// What one look at the API server showed.
#[derive(Clone, Debug)]
pub struct View {
    /// Whether the scheduler may still bind pods to the node; `None` inside for a Node that does not exist, or no longer exists.
    pub schedulable: Reading<Option<bool>>,
    /// The pods bound to the node.
    pub pods: Reading<Vec<Pod>>,
}

/// What to do with a pod that its disruption budget still protects when time runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escalation {
    /// Delete it, with as much of its own grace as the time allows: its node ends anyway, and this way the pod ends in order.
    Delete,
    /// Leave it running until the machine ends, and report it.
    GiveUp,
}

/// How long a drain may take, and how it proceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// When it must have ended, whatever is left.
    pub end: Timestamp,
    /// Pause before a refused eviction is tried again; kubectl's own is 5 s.
    pub retry: Duration,
    /// The number of evictions asked for in one step, side by side, at most.
    pub batch: usize,
    /// After this long without any answer from the API server the drain is given up: the membership must not wait for it.
    pub patience_without_api: Duration,
    /// See [`Escalation`].
    pub escalation: Escalation,
}

/// One pod to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Which pod. The uid is sent as a precondition, so a successor of the same name is never meant.
    pub pod: PodId,
    /// Its time to end, if that must be shorter than its own.
    pub grace: Option<Duration>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Keep the scheduler from binding pods to the node.
    Cordon,
    /// Ask for these evictions, side by side; disruption budgets decide.
    Evict(Vec<Ending>),
    /// Delete these, side by side, past their disruption budgets.
    Delete(Vec<Ending>),
}

/// The state of a drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It continues, with a step or by waiting.
    Goes {
        /// The step.
        step: Option<Step>,
        /// What is done or awaited, for the report.
        message: String,
    },
    /// Nothing is left to be drained.
    Done {
        /// What was drained.
        message: String,
    },
    /// It ends with pods left.
    GaveUp {
        /// Why, and which pods.
        message: String,
    },
}
