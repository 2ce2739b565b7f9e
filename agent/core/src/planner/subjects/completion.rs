//! Completing this instance's own hook on the way out, or staying away where its instance keeps running.

use crate::explain::hooks::{self as explain, Standing};
use crate::observation::Transition;
use crate::plan::{HookResult, Step};
use crate::report::Phase;
use crate::situation::{Departure, LeaveReason, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{charter, hooks, targets};

/// Completes the hook of a node that has left.
pub(in crate::planner) fn has_left(s: &Situation<'_>, departure: &Departure) -> Decision {
    complete_as(s, departure, Phase::Left, HookResult::Continue, Standing::HasLeft)
}

/// Completes the hook although the node has not left.
pub(in crate::planner) fn complete(s: &Situation<'_>, departure: &Departure, result: HookResult, standing: Standing) -> Decision {
    complete_as(s, departure, Phase::Leaving, result, standing)
}

fn complete_as(s: &Situation<'_>, departure: &Departure, phase: Phase, result: HookResult, standing: Standing) -> Decision {
    if !departure.instance_goes {
        return stays_away(s, departure, phase, standing);
    }
    if let Some(again) = targets::once_more(s, departure) {
        return again;
    }
    // The state of an instance that returns to the warm pool shows that a hook is open, but not which one. A refused completion must not hold up another.
    let mut open = hooks::open(s, Transition::Launching).chain(hooks::open(s, Transition::Terminating)).peekable();
    let first = open.peek().copied();
    let Some(hook) = open.find(|hook| !s.memory.hook_waits(&hook.hook, s.me(), s.now)).or(first) else {
        return Decision::rest(phase, explain::nothing_is_open(standing, &departure.why)).again_in(s.policy.retry);
    };
    if s.memory.hook_waits(&hook.hook, s.me(), s.now) {
        return Decision::wait(phase, explain::was_not_taken(standing, &hook.hook)).again_in(s.policy.retry);
    }
    let gives_launch_up = hook.transition == Transition::Launching && !s.is_warm();
    if gives_launch_up && may_have_voted(s) {
        return Decision::wait(phase, explain::is_left_to_the_group(standing, &hook.hook)).again_in(s.policy.retry);
    }
    let result = if gives_launch_up { HookResult::Abandon } else { result };
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result };
    Decision::act(phase, step, explain::completes(standing, &hook.hook, result)).until(departure.deadline)
}

/// It may have been a voter: it did join, and no quorum says that it is not one. A founder that EC2 takes back before its launch is over is an example.
fn may_have_voted(s: &Situation<'_>) -> bool {
    let by_quorum = s.membership().map(|_| s.my_member().is_some_and(|m| !m.learner));
    let joined = || !s.disk_is_empty() || s.memory.kept.record.as_ref().is_some_and(|r| r.lists(s.me()));
    s.ways().has_member && by_quorum.unwrap_or_else(joined)
}

/// What a node reports that is out while its instance keeps running. What it still blocks, only an operator can fix.
fn stays_away(s: &Situation<'_>, departure: &Departure, phase: Phase, standing: Standing) -> Decision {
    let why = &departure.why;
    if s.is_only_recommended() {
        return Decision::rest(phase, explain::stays_away_until_replaced(standing, why));
    }
    if s.is_retained() {
        return Decision::halt(phase, explain::is_retained(standing, why));
    }
    if let Some(rewrite) = charter::rewrite_vanished(s).filter(|d| d.step.is_some()) {
        return Decision { phase, ..rewrite };
    }
    if let Some(claim) = s.record().filter(|r| r.founder() == Some(s.me())) {
        return Decision::halt(phase, explain::blocks_the_founding(standing, why, claim));
    }
    if let Some(broken) = charter::broken(s) {
        let message = explain::tells_what_it_remembers(standing, why, &broken.message);
        return Decision { phase, message, ..broken };
    }
    if why.is_only(LeaveReason::GroupDetached) {
        return Decision::rest(phase, explain::stays_away_until_attached(standing, why));
    }
    Decision::rest(phase, explain::stays_away(standing, why))
}
