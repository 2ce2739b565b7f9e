//! A node whose memory was damaged takes no step that rests on it. During an operator's pause only heartbeats, the return of the lock and the pause itself get through: the gate's own reading of that.

use crate::pausing::{Pause, Wish};
use crate::plan::Step;

use super::facts::Facts;
use super::refusal::NotOrdered;
use super::verdict::{Verdict, forbid, require};

pub(super) fn permits(f: &Facts<'_>, step: &Step) -> Verdict {
    forbid((f.memory.kept.forgotten && step.rests_on_memory()).then_some(()), |()| NotOrdered::Forgotten)?;
    let wish = f.memory.kept.pausing.wish.as_ref();
    match step {
        Step::Heartbeat { .. } | Step::ReleaseLock { .. } => Ok(()),
        Step::SetPause { pause, .. } => require(wish == Some(&Wish::Pause(pause.clone())), NotOrdered::Pause),
        Step::ClearPause { .. } => require(wish == Some(&Wish::Resume), NotOrdered::Resume),
        _ => forbid(in_force(f), |pause| NotOrdered::Paused(pause.clone())),
    }
}

/// The pause in force: one ordered on this node, or the one that etcd reports or last reported, unless an operator has ended just that one for this node.
fn in_force<'a>(f: &Facts<'a>) -> Option<&'a Pause> {
    let kept = &f.memory.kept.pausing;
    let (wished, resumes) = match &kept.wish {
        Some(Wish::Pause(pause)) => (Some(pause), false),
        Some(Wish::Resume) => (None, true),
        None => (None, false),
    };
    let told = match f.seen.etcd.pause.fresh() {
        Some(now) if f.membership().is_ok_and(|m| f.is_the_charters(m).is_ok()) => now.as_ref(),
        _ => kept.cluster.as_ref(),
    };
    let told = told.filter(|pause| !resumes && kept.overridden.as_ref() != Some(*pause));
    kept.own.as_ref().or(wished).or(told)
}
