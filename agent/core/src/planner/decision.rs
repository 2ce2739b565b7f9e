//! What a rule answers: a step or a wait, with its sentence, and whether it needs the lock.

use std::time::Duration;

use crate::explain::{Message, Wait};
use crate::plan::{LockPurpose, Step};
use crate::report::Phase;
use crate::time::Timestamp;
use crate::wait::Awaited;

/// A rule's answer.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) phase: Phase,
    pub(super) step: Option<Step>,
    /// The step, or the wait, is only good while the cluster-wide lock is held for this purpose.
    pub(super) lock: Option<LockPurpose>,
    pub(super) message: Message,
    /// What is awaited where nothing is done.
    pub(super) awaits: Option<Awaited>,
    pub(super) until: Option<Timestamp>,
    pub(super) needs_operator: bool,
    pub(super) look_again: Option<Duration>,
}

impl Decision {
    /// Nothing is to be done, and nothing is awaited.
    pub(super) fn rest(phase: Phase, message: Message) -> Self {
        Self { phase, step: None, lock: None, message, awaits: None, until: None, needs_operator: false, look_again: None }
    }

    pub(super) fn wait(phase: Phase, wait: Wait) -> Self {
        Self { awaits: Some(wait.awaits), ..Self::rest(phase, wait.message) }
    }

    pub(super) fn act(phase: Phase, step: Step, message: Message) -> Self {
        Self { step: Some(step), ..Self::rest(phase, message) }
    }

    pub(super) fn halt(phase: Phase, wait: Wait) -> Self {
        Self { needs_operator: true, ..Self::wait(phase, wait) }
    }

    pub(super) fn with_step(self, step: Step) -> Self {
        Self { step: Some(step), ..self }
    }

    /// The same decision with this sentence.
    pub(super) fn told(self, message: Message) -> Self {
        Self { message, ..self }
    }

    pub(super) fn under_lock(self, purpose: LockPurpose) -> Self {
        Self { lock: Some(purpose), ..self }
    }

    pub(super) fn until(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    pub(super) fn again_in(self, pause: Duration) -> Self {
        Self { look_again: Some(pause), ..self }
    }
}
