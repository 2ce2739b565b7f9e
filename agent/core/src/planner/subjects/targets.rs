//! The target groups that the operator registers this instance with by other means than its Auto Scaling group: it is deregistered when it leaves, and
//! nothing waits for that. Each is tried once before all else, so no load balancer sends traffic while the node drains, again while there is nothing better
//! to do, and once more before the hook is completed. The number of tries is limited, because a group that does not exist never will.

use std::time::Duration;

use crate::explain;
use crate::ids::TargetGroupArn;
use crate::memory::Deregistration;
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::{Departure, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::departing;

/// The number of tries at most, not counting the last one.
const TRIES: u32 = 4;

/// Another try while the leave waits. A leave that holds the lock waits for moments only and is not interrupted.
pub(in crate::planner) fn meanwhile(s: &Situation<'_>, departure: &Departure, decision: Decision) -> Decision {
    if decision.step.is_some() || decision.lock.is_some() {
        return decision;
    }
    let due = |before: &Deregistration| before.tries < TRIES && s.now >= before.tried + pause(s, before.tries);
    let again = untaken(s, departure, departing::reserve(s)).find(|(_, tried)| tried.is_some_and(due));
    again.map_or(decision, |(group, _)| act(departure, group))
}

/// The last try, when only the hook is left: one, if the leave has made progress since the try before.
pub(in crate::planner) fn once_more(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    let due = |before: &Deregistration| before.tries <= TRIES && s.memory.acted.is_some_and(|at| at > before.tried);
    // One margin for this call, and one for the completion.
    let again = untaken(s, departure, s.policy.leave_margin * 2).find(|(_, tried)| tried.is_none_or(due));
    again.map(|(group, _)| act(departure, group))
}

/// The pause before the next try, each twice as long as the one before.
fn pause(s: &Situation<'_>, tries: u32) -> Duration {
    s.policy.aws_hurry * 2_u32.saturating_pow(tries.saturating_sub(1))
}

/// The groups that have not accepted the deregistration, in the operator's order; none if the instance stays, or has time only for the leave itself.
pub(in crate::planner) fn untaken<'a>(
    s: &Situation<'a>,
    departure: &Departure,
    reserve: Duration,
) -> impl Iterator<Item = (&'a TargetGroupArn, Option<&'a Deregistration>)> + use<'a> {
    let goes = departure.instance_goes && departing::has_time(s, departure, reserve);
    let known = s.memory.leaving.as_ref().map(|leave| &leave.deregistrations);
    let groups = s.policy.target_groups.iter().filter(move |_| goes);
    let all = groups.map(move |group| (group, known.and_then(|known| known.get(group))));
    all.filter(|(_, tried)| tried.is_none_or(|tried| !tried.accepted))
}

pub(in crate::planner) fn act(departure: &Departure, group: &TargetGroupArn) -> Decision {
    let step = Step::DeregisterTarget { group: group.clone() };
    Decision::act(Phase::Leaving, step, explain::hooks::deregisters(&departure.why, group)).until(departure.deadline)
}
