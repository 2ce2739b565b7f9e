//! What the gate remembers on its own, so a mistake in what the planner derives does not pass both: whether any client can still write, since when quorum has
//! been lost, whether a learner makes progress, which member leads, and since when this node has had to leave.
//!
//! Only the gate's own `watch.rs` writes it, from what is observed.

use std::time::Duration;

use crate::ids::MemberId;
use crate::observation::Saved;
use crate::plan::Step;
use crate::time::Timestamp;

/// A learner, as the gate watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Learner {
    pub(super) member: MemberId,
    /// The fewest entries that it was behind the leader.
    pub(super) behind: u64,
    /// The most bytes of a snapshot that its agent has said are there.
    pub(super) bytes: u64,
    pub(super) progress_at: Timestamp,
}

/// What the gate remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GateMemory {
    pub(super) absorbed: Option<Timestamp>,
    pub(super) covering_all: Option<Saved>,
    pub(super) lost_since: Option<Timestamp>,
    pub(super) learner: Option<Learner>,
    pub(super) led: Option<(MemberId, Timestamp)>,
    pub(super) told_since: Option<Timestamp>,
    /// The voter without a name, and since when every look has found it.
    pub(super) nameless: Option<(MemberId, Timestamp)>,
}

impl GateMemory {
    /// The snapshot that was begun after the last client was stopped, if none has been served since.
    pub(super) fn covering_all(&self) -> Option<&Saved> {
        self.covering_all.as_ref()
    }

    /// Since when this node's own member has shown that quorum is lost for good.
    pub(super) fn lost_since(&self) -> Option<Timestamp> {
        self.lost_since
    }

    /// The leader as a quorum names it, and since when every look has found the same one.
    pub(super) fn led(&self) -> Option<(MemberId, Timestamp)> {
        self.led
    }

    /// Since when this node has had to leave.
    pub(super) fn told_since(&self) -> Option<Timestamp> {
        self.told_since
    }

    /// How long this learner has made no progress; `None` if it is not the one being watched.
    pub(super) fn standstill(&self, member: MemberId, now: Timestamp) -> Option<Duration> {
        self.learner.filter(|learner| learner.member == member).map(|learner| now.since(learner.progress_at))
    }

    /// How long this voter has been listed without ever having started.
    pub(super) fn nameless_for(&self, member: MemberId, now: Timestamp) -> Option<Duration> {
        self.nameless.filter(|(known, _)| *known == member).map(|(_, since)| now.since(since))
    }

    /// Notes that a step is let through. Whatever its outcome, a client that is served again may write what the snapshot lacks.
    pub(super) fn let_through(&mut self, step: &Step) {
        if matches!(step, Step::StartMember(..)) {
            self.covering_all = None;
        }
    }
}
