//! What is said while an operator has paused this node, or the cluster.

use std::fmt::Display;

use crate::pausing::Pause;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn ends() -> Message {
    "ends the cluster's pause, as an operator ordered".into()
}

pub(crate) fn is_paused(pause: &Pause, cluster: bool, leads: bool) -> Wait {
    let (what, flag) = if cluster { ("the cluster", " --cluster") } else { ("this node", "") };
    let duties = if leads { ", not even for the cluster" } else { "" };
    wait(WaitReason::Paused, format!("{what} is paused {pause}, until `quorate resume{flag}`: nothing is done here{duties}"))
}

pub(crate) fn keeps_from_leaving(paused: &Wait, why: &dyn Display) -> Wait {
    wait(paused.awaits.reason, format!("{}; it should leave because {why}, but waits for the pause to end", paused.message))
}

pub(crate) fn others_do_not_know(paused: &Message) -> Message {
    format!("{paused}; the others do not know yet: no quorum answers").into()
}
