//! While an operator has paused this node or the cluster, no step is taken: the agent only reports what it sees and heartbeats its hooks.

use crate::explain::pausing as explain;
use crate::memory::BackoffKey;
use crate::pausing::{Pause, Wish};
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::phase;

pub(in crate::planner) fn decide(s: &Situation<'_>) -> Option<Decision> {
    let decision = match s.paused() {
        Some(pause) => is_paused(s, pause),
        // Only a resume that etcd does not know of yet is carried out; with no quorum to tell, this node carries on.
        None => return lift(s),
    };
    Some(match s.memory.kept.pausing.wish.as_ref() {
        Some(Wish::Pause(wanted)) => declare(s, wanted, decision),
        Some(Wish::Resume) | None => decision,
    })
}

fn lift(s: &Situation<'_>) -> Option<Decision> {
    let wished = s.memory.kept.pausing.wish == Some(Wish::Resume) && s.seen.etcd.pause.fresh().is_some_and(Option::is_some);
    let via = s.via_any().filter(|_| wished && !s.memory.waits(BackoffKey::Pause, s.now))?;
    Some(Decision::act(phase::phase_of_member(s), Step::ClearPause { via }, explain::ends()))
}

fn declare(s: &Situation<'_>, wanted: &Pause, decision: Decision) -> Decision {
    let absent = s.seen.etcd.pause.fresh().is_some_and(Option::is_none);
    match s.via_any().filter(|_| absent && !s.memory.waits(BackoffKey::Pause, s.now)) {
        Some(via) => decision.with_step(Step::SetPause { via, pause: wanted.clone() }),
        None => {
            let message = explain::others_do_not_know(&decision.message);
            decision.told(message)
        }
    }
}

fn is_paused(s: &Situation<'_>, pause: &Pause) -> Decision {
    let paused = explain::is_paused(pause, s.memory.kept.pausing.is_of_the_cluster(), s.leads());
    let Some(departure) = s.departure() else {
        return phase::with_remarks(s, Decision::wait(phase::phase_of_member(s), paused));
    };
    // A machine that powers off takes its member with it; every other notice runs out.
    Decision::halt(Phase::Leaving, explain::keeps_from_leaving(&paused, &departure.why)).until(departure.deadline)
}
