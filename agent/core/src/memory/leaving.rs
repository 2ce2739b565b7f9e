//! What is remembered while this node leaves, and how far the end of a last voter has come.

use std::collections::BTreeMap;

use crate::ids::TargetGroupArn;
use crate::time::Timestamp;

/// This node is leaving. All of it is forgotten when the notice is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Since when.
    pub since: Timestamp,
    /// When the distribution was first asked to remove this node's member.
    pub removal_asked: Option<Timestamp>,
    /// When a newcomer last said that its etcd is refused. The patience for a replacement counts from there.
    pub newcomer_refused: Option<Timestamp>,
    /// Deregistrations at target groups. Not kept: the call is idempotent.
    pub deregistrations: BTreeMap<TargetGroupArn, Deregistration>,
}

impl Leave {
    /// A leave that begins now.
    #[must_use]
    pub fn begun(since: Timestamp) -> Self {
        Self { since, removal_asked: None, newcomer_refused: None, deregistrations: BTreeMap::new() }
    }
}

/// What became of the deregistration of this instance at one target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deregistration {
    /// It was accepted.
    pub accepted: bool,
    /// How many times it was tried.
    pub tries: u32,
    /// When it was last tried.
    pub tried: Timestamp,
}

/// How far the end of the cluster has come, on the node of its last voter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Nothing has ended: the member serves, or may be started to serve.
    #[default]
    None,
    /// The agent has begun to retire its cluster. It continues to the end, unless the node is no longer to leave.
    Retiring,
    /// The member is stopped after all its data was saved. That remains to be recorded.
    Saved,
    /// The member is stopped as the last voter, and is to stay down.
    Stopped,
}

impl Ending {
    /// The member is stopped as the last voter.
    #[must_use]
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::Saved | Self::Stopped)
    }

    /// The cluster is being retired, and that is not finished.
    #[must_use]
    pub fn is_retiring(self) -> bool {
        matches!(self, Self::Retiring | Self::Saved)
    }
}
