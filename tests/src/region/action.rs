//! Lifecycle actions: each one from its opening to its end, and the caller that ended it.

use std::time::Duration;

use quorate_core::ids::{GroupName, HookName, InstanceId};
use quorate_core::time::Timestamp;

use super::{ActionResult, Caller, Ec2State, Token, Transition};

/// One hook holding one instance back, once.
#[derive(Clone, Debug)]
pub struct LifecycleAction {
    /// Its token.
    pub token: Token,
    /// The group.
    pub group: GroupName,
    /// The instance that is held back.
    pub instance: InstanceId,
    /// The hook.
    pub hook: HookName,
    /// The change that is held up.
    pub transition: Transition,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it times out, unless a heartbeat comes.
    pub deadline: Timestamp,
    /// When it times out in any case.
    pub cap: Timestamp,
    /// How many heartbeats were accepted.
    pub heartbeats: u32,
    /// How it ended; `None` while it is open.
    pub ending: Option<Ending>,
    /// Completions that were refused because it was over.
    pub late_completions: Vec<LateCompletion>,
    pub(super) heartbeat_timeout: Duration,
    pub(super) default_result: ActionResult,
    pub(super) slot: usize,
}

/// The end of a lifecycle action.
#[derive(Clone, Debug)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: Conclusion,
    /// The caller that completed it.
    pub by: Option<Caller>,
    /// The state of the machine at that moment, as EC2 believed it.
    pub ec2: Ec2State,
    /// Whether the machine really ran at that moment.
    pub powered: bool,
}

/// How a lifecycle action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Somebody completed it.
    Completed(ActionResult),
    /// No caller completed it in time; the hook's default result was taken.
    TimedOut(ActionResult),
    /// Its hook was deleted.
    HookDeleted(ActionResult),
    /// Another hook was abandoned, or the instance was taken elsewhere.
    Superseded,
}

/// A completion that came after the end.
#[derive(Clone, Debug)]
pub struct LateCompletion {
    /// When.
    pub at: Timestamp,
    /// The caller that tried.
    pub by: Caller,
}

impl LifecycleAction {
    /// Whether it is still open.
    #[must_use]
    pub fn open(&self) -> bool {
        self.ending.is_none()
    }

    /// The caller that completed it, if any.
    #[must_use]
    pub fn completed_by(&self) -> Option<&Caller> {
        self.ending.as_ref().and_then(|ending| ending.by.as_ref())
    }

    /// The result given by the caller that completed it.
    #[must_use]
    pub fn completed(&self) -> Option<ActionResult> {
        match self.ending.as_ref()?.how {
            Conclusion::Completed(result) => Some(result),
            _ => None,
        }
    }

    /// Whether it was not completed in time.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| matches!(ending.how, Conclusion::TimedOut(_)))
    }

    /// Whether another caller tried to complete it after it was completed, and was refused: two believed it to be theirs.
    #[must_use]
    pub fn double_completed(&self) -> bool {
        self.completed_by().is_some_and(|first| self.late_completions.iter().any(|late| late.by != *first))
    }

    /// Whether another instance completed it while its own machine still ran.
    #[must_use]
    pub fn completed_over_its_head(&self) -> bool {
        let Some(Ending { by: Some(Caller::Instance(by)), powered: true, .. }) = &self.ending else { return false };
        *by != self.instance
    }
}

/// How many lifecycle actions there were, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionStatistics {
    /// All that were ever opened.
    pub opened: usize,
    /// Completed with `CONTINUE`.
    pub completed: usize,
    /// Completed with `ABANDON`.
    pub abandoned: usize,
    /// Not completed in time.
    pub timed_out: usize,
    /// Ended by something else.
    pub superseded: usize,
    /// Of those that were completed, the ones that another instance tried to complete too, and was refused.
    pub tried_again: usize,
}

impl ActionStatistics {
    pub(super) fn of(actions: &[LifecycleAction]) -> Self {
        let tried_again = actions.iter().filter(|action| action.double_completed()).count();
        let mut sum = Self { opened: actions.len(), tried_again, ..Self::default() };
        for ending in actions.iter().filter_map(|action| action.ending.as_ref()) {
            match ending.how {
                Conclusion::Completed(ActionResult::Continue) => sum.completed += 1,
                Conclusion::Completed(ActionResult::Abandon) => sum.abandoned += 1,
                Conclusion::TimedOut(_) => sum.timed_out += 1,
                Conclusion::HookDeleted(_) | Conclusion::Superseded => sum.superseded += 1,
            }
        }
        sum
    }
}
