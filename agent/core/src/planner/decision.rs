//! What a rule answers: a step or a wait, with its sentence, and whether it needs the lock.

use std::borrow::Cow;
use std::time::Duration;

use crate::plan::{LockPurpose, Step};
use crate::report::Phase;
use crate::time::Timestamp;

/// A rule's answer.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) phase: Phase,
    pub(super) step: Option<Step>,
    /// The step, or the wait, is only good while the cluster-wide lock is held for this purpose.
    pub(super) lock: Option<LockPurpose>,
    pub(super) says: Cow<'static, str>,
    pub(super) until: Option<Timestamp>,
    pub(super) needs_operator: bool,
    pub(super) look_again: Option<Duration>,
}

impl Decision {
    pub(super) fn wait(phase: Phase, says: impl Into<Cow<'static, str>>) -> Self {
        Self { phase, step: None, lock: None, says: says.into(), until: None, needs_operator: false, look_again: None }
    }

    pub(super) fn act(phase: Phase, step: Step, says: impl Into<Cow<'static, str>>) -> Self {
        Self { step: Some(step), ..Self::wait(phase, says) }
    }

    pub(super) fn halt(phase: Phase, says: impl Into<Cow<'static, str>>) -> Self {
        Self { needs_operator: true, ..Self::wait(phase, says) }
    }

    pub(super) fn with_step(self, step: Step) -> Self {
        Self { step: Some(step), ..self }
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
