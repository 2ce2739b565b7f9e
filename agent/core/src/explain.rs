//! Every sentence that reports a decision, by subject. A rule names what it does or awaits; how that reads is decided here.
//!
//! The journal, systemd, `quorate status` and the golden stories show these sentences as they are. No decision depends on one: what a wait is for is a
//! [`WaitReason`], and a step is a [`crate::plan::Step`].

pub(crate) mod certificates;
pub(crate) mod changing;
pub(crate) mod charter;
pub(crate) mod claiming;
pub(crate) mod consent;
pub(crate) mod departure;
pub(crate) mod draining;
pub(crate) mod duties;
pub(crate) mod ending;
pub(crate) mod hooks;
pub(crate) mod joining;
pub(crate) mod leaving;
pub(crate) mod lock;
pub(crate) mod ordered;
pub(crate) mod pausing;
pub(crate) mod rebooting;
pub(crate) mod recovering;
mod refusals;
pub(crate) mod removing;
pub(crate) mod restoring;
pub(crate) mod rotating;
pub(crate) mod serving;
pub(crate) mod snapshots;
pub(crate) mod version;
pub(crate) mod waiting;
pub(crate) mod ways;
pub(crate) mod worker;

use std::borrow::Cow;
use std::fmt::Display;

use crate::wait::{Awaited, WaitReason};

/// A sentence without its subject, which is the node.
pub(crate) type Message = Cow<'static, str>;

/// What is awaited, and the sentence that says so.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) awaits: Awaited,
    pub(crate) message: Message,
}

fn wait(reason: WaitReason, message: impl Into<Message>) -> Wait {
    Wait { awaits: Awaited { reason, progress: None }, message: message.into() }
}

/// The same, with how far it has come.
fn wait_at(reason: WaitReason, progress: u64, message: impl Into<Message>) -> Wait {
    Wait { awaits: Awaited { reason, progress: Some(progress) }, message: message.into() }
}

/// Said when no rule applies.
pub(crate) fn nothing_is_known() -> Wait {
    wait(WaitReason::LocalFacts, "does not know enough yet to decide anything")
}

/// What was decided rests on a memory that cannot be written.
pub(crate) fn memory_is_not_written(doing: &Message, why: &str) -> Wait {
    wait(WaitReason::StateDirectory, format!("{doing}; cannot write what must be remembered first: {why}"))
}

/// What this node remembered was damaged.
pub(crate) fn memory_was_damaged(why: &dyn Display) -> Wait {
    wait(WaitReason::DamagedMemory, format!("its memory was damaged and is set aside; waits for the charter, to rebuild it: {why}"))
}

/// Joins the items, as in "i-b, i-c".
fn list<T: Display>(all: impl IntoIterator<Item = T>, between: &str) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(between)
}

fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}
