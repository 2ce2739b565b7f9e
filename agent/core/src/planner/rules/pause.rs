//! While an operator has paused this node, or the cluster, no step is taken: what is seen is said, and hooks are heartbeated.

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
        // Only a resume that etcd does not know of yet is carried out; with no quorum to tell it to, this node goes on.
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
    Some(Decision::act(phase::phase_of_member(s), Step::ClearPause { via }, "ends the cluster's pause, as an operator ordered"))
}

fn declare(s: &Situation<'_>, wanted: &Pause, decision: Decision) -> Decision {
    let absent = s.seen.etcd.pause.fresh().is_some_and(Option::is_none);
    match s.via_any().filter(|_| absent && !s.memory.waits(BackoffKey::Pause, s.now)) {
        Some(via) => decision.with_step(Step::SetPause { via, pause: wanted.clone() }),
        None => Decision { says: format!("{}; the others are not told yet: no quorum answers", decision.says).into(), ..decision },
    }
}

fn is_paused(s: &Situation<'_>, pause: &Pause) -> Decision {
    let (what, flag) = if s.memory.kept.pausing.is_of_the_cluster() { ("the cluster", " --cluster") } else { ("this node", "") };
    let says = format!("{what} is paused {pause}, until `quorate resume{flag}`: no step is taken here");
    let duties = if s.leads() { ", and the leader's duties rest" } else { "" };
    let says = format!("{says}{duties}");
    let Some(departure) = s.departure() else {
        return phase::with_remarks(s, Decision::wait(phase::phase_of_member(s), says));
    };
    // A machine that powers off takes its member with it; whatever else was announced runs out.
    let says = format!("{says}; it is to leave, as {}, which waits for that", departure.why);
    Decision::halt(Phase::Leaving, says).until(departure.deadline)
}
