//! What a plan says for itself: what is being done or awaited, why, and until when.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a node is doing, derived anew in each cycle and never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It does not know enough of the world yet to stand for anything.
    Starting,
    /// In a warm pool: never joins.
    Warm,
    /// No cluster yet; it waits to found one or for another to do so.
    Waiting,
    /// It founds a generation.
    Founding,
    /// It joins.
    Joining,
    /// Its member is a learner.
    Learner,
    /// Its member votes.
    Voter,
    /// It serves as a Kubernetes worker.
    Worker,
    /// The cluster is at its limit: it waits un-joined.
    Spare,
    /// The machine reboots, and its member rests meanwhile.
    Resting,
    /// It is leaving.
    Leaving,
    /// It has left.
    Left,
    /// Quorum is lost or its data is gone: it recovers or waits for an operator.
    Recovering,
    /// It does nothing until an operator has mended what the report says.
    Halted,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 14] = [
        Self::Starting,
        Self::Warm,
        Self::Waiting,
        Self::Founding,
        Self::Joining,
        Self::Learner,
        Self::Voter,
        Self::Worker,
        Self::Spare,
        Self::Resting,
        Self::Leaving,
        Self::Left,
        Self::Recovering,
        Self::Halted,
    ];

    /// A node that is about to become a member, and for whom the leader's agent looks more often.
    #[must_use]
    pub fn is_on_its_way_in(self) -> bool {
        matches!(self, Self::Waiting | Self::Joining | Self::Learner)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Warm => "warm",
            Self::Waiting => "waiting",
            Self::Founding => "founding",
            Self::Joining => "joining",
            Self::Learner => "learner",
            Self::Voter => "voter",
            Self::Worker => "worker",
            Self::Spare => "spare",
            Self::Resting => "resting",
            Self::Leaving => "leaving",
            Self::Left => "left",
            Self::Recovering => "recovering",
            Self::Halted => "halted",
        })
    }
}

/// The explanation of one plan: one sentence for the journal, systemd, `quorate status` and the golden tests alike.
#[must_use = "an unread report explains nothing"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the node is doing.
    pub phase: Phase,
    /// The rule that decided, by its name in the planner's table.
    pub rule: &'static str,
    /// What is being done, or awaited, and why.
    pub says: Cow<'static, str>,
    /// When the wait ends by itself, if it does.
    pub until: Option<Timestamp>,
    /// An operator must act.
    pub needs_operator: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase, self.says)
    }
}
