//! Lifecycle hooks and target groups of this instance.

use std::fmt::Display;

use crate::charter::Record;
use crate::ids::TargetGroupArn;
use crate::observation::HookRef;
use crate::plan::HookResult;
use crate::wait::WaitReason;

use super::ending::Last;
use super::{Message, Wait, wait};

pub(crate) fn heartbeat(hook: &HookRef) -> Message {
    format!("sends a heartbeat for hook {hook}").into()
}

pub(crate) fn launch_after_joining(hook: &HookRef) -> Message {
    format!("completes launch hook {hook}: it has joined").into()
}

pub(crate) fn launch_of_a_spare(hook: &HookRef) -> Message {
    format!("completes launch hook {hook}: it waits as a spare").into()
}

pub(crate) fn launch_of_a_ready_node(hook: &HookRef) -> Message {
    format!("completes launch hook {hook}: its node is ready").into()
}

/// The state in which a node completes its hook on the way out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standing {
    /// Nothing of it is left.
    HasLeft,
    /// It could not leave in time; the others continue.
    OutOfTime,
    /// It could not hand over in time, and continues where its group keeps it.
    HoldsAllThatIsLeft,
    /// The last voter, which ends without saving.
    Last(Last),
    /// The last voter, which has stopped.
    WasLast,
    /// The last voter, which has saved everything.
    IsRetired,
}

impl Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::HasLeft => "has left",
            Self::OutOfTime => "could not leave safely before its deadline; the others will remove its member",
            Self::HoldsAllThatIsLeft => "could not hand over before its deadline, and holds the only data left",
            Self::Last(last) => return last.fmt(f),
            Self::WasLast => "was the last voter, and its etcd is stopped",
            Self::IsRetired => "was the last voter, and its cluster is retired",
        })
    }
}

/// No hook is open: its instance ends without one.
pub(crate) fn nothing_is_open(standing: Standing, why: &dyn Display) -> Message {
    format!("{standing} ({why})").into()
}

pub(crate) fn was_not_taken(standing: Standing, hook: &HookRef) -> Wait {
    wait(WaitReason::HookCompletion, format!("{standing}; waits until its group accepts the completion of hook {hook}"))
}

pub(crate) fn is_left_to_the_group(standing: Standing, hook: &HookRef) -> Wait {
    let message = format!("{standing}; leaves hook {hook} to its group: only an instance that never voted abandons its launch");
    wait(WaitReason::HookTimeout, message)
}

pub(crate) fn completes(standing: Standing, hook: &HookRef, result: HookResult) -> Message {
    format!("{standing}; completes hook {hook} with {result}").into()
}

pub(crate) fn stays_away_until_replaced(standing: Standing, why: &dyn Display) -> Message {
    format!("{standing} ({why}); stays out until its group replaces it, or until the policy is `on_rebalance = \"report\"`").into()
}

pub(crate) fn is_retained(standing: Standing, why: &dyn Display) -> Wait {
    wait(WaitReason::Retained, format!("{standing} ({why}): nothing is left to do here"))
}

pub(crate) fn blocks_the_founding(standing: Standing, why: &dyn Display, claim: &Record) -> Wait {
    let message = format!(
        "{standing} ({why}), but it has claimed generation {}, which nobody else may found while it lives: terminate the instance, or run `quorate join`",
        claim.generation
    );
    wait(WaitReason::BlockedClaim, message)
}

pub(crate) fn tells_what_it_remembers(standing: Standing, why: &dyn Display, broken: &Message) -> Message {
    format!("{standing} ({why}), and tells the others what it remembers: {broken}").into()
}

pub(crate) fn stays_away(standing: Standing, why: &dyn Display) -> Message {
    format!("{standing} ({why}); stays out until `quorate join`").into()
}

pub(crate) fn stays_away_until_attached(standing: Standing, why: &dyn Display) -> Message {
    format!("{standing} ({why}); stays out until it is attached again").into()
}

pub(crate) fn deregisters(why: &dyn Display, group: &TargetGroupArn) -> Message {
    format!("leaves because {why}: deregisters from target group {group}").into()
}
