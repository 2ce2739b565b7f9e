//! While an operator has paused, nothing but a sign of life and the return of the lock gets through: the gate's own reading of that.

use crate::pausing::Wish;
use crate::plan::Step;

use super::facts::Facts;
use super::verdict::{Verdict, require};

pub(super) fn permits(f: &Facts<'_>, step: &Step) -> Verdict {
    let wish = f.memory.kept.pausing.wish.as_ref();
    match step {
        Step::Heartbeat { .. } | Step::ReleaseLock { .. } => Ok(()),
        Step::SetPause { pause, .. } => require(wish == Some(&Wish::Pause(pause.clone())), "no operator has ordered that pause here"),
        Step::ClearPause { .. } => require(wish == Some(&Wish::Resume), "no operator has ordered here to end the pause"),
        _ => require(!is_paused(f), "an operator has paused this node or the cluster"),
    }
}

/// An order that this node holds by itself; or what etcd says or last said, unless an operator has ended just that for this node.
fn is_paused(f: &Facts<'_>) -> bool {
    let kept = &f.memory.kept.pausing;
    let resumes = kept.wish == Some(Wish::Resume);
    let ordered = kept.own.is_some() || matches!(kept.wish, Some(Wish::Pause(_)));
    let told = match f.seen.etcd.pause.fresh() {
        Some(now) if f.membership().is_ok_and(|m| f.is_the_charters(m).is_ok()) => now.as_ref(),
        _ => kept.cluster.as_ref(),
    };
    ordered || told.is_some_and(|pause| !resumes && kept.overridden.as_ref() != Some(pause))
}
