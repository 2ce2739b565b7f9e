//! The invariants I1 to I9 of ARCHITECTURE.md, on the truth of the models and never on what a node believes.

mod changes;
mod clusters;
mod end;
mod hooks;
mod loss;
mod servers;
mod snapshots;

use std::fmt;

use quorate_core::ids::EtcdClusterId;
use quorate_core::time::Timestamp;

use super::bits::Bits;
use super::world::World;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one, as ARCHITECTURE.md numbers them.
    pub invariant: &'static str,
    /// What happened.
    pub text: String,
    /// When, in virtual time.
    pub at: Timestamp,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.invariant, self.at, self.text)
    }
}

/// What the checks remember.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// The client's acknowledged writes.
    pub(crate) acknowledged: Bits,
    /// When each write was made, acknowledged or not.
    pub(crate) written_at: Vec<Timestamp>,
    /// Those of them that a recovery was allowed to lose.
    pub(crate) forgiven: Bits,
    pub(crate) next_write: u32,
    /// Quorum of this cluster was lost for good: too much of its data is gone.
    pub(crate) quorum_lost: Option<EtcdClusterId>,
    /// All of it is gone.
    pub(crate) total_loss: bool,
    /// Numbers of the records that a fault took from the store.
    pub(crate) records_lost: Vec<u64>,
    /// Such a record is gone, and so is every node that remembered it: nothing can be concluded from then on.
    pub(crate) amnesia: bool,
    /// When the cluster last had all the voters that it may have.
    pub(crate) full_at: Option<Timestamp>,
    /// The faults are over.
    pub(crate) calm: bool,
    /// Lifecycle actions looked at so far, and those of them that are still open.
    pub(crate) actions_seen: usize,
    pub(crate) actions_open: Vec<usize>,
    /// What concerns a control plane.
    pub(crate) servers: servers::ServerChecks,
}

impl World {
    pub(crate) fn violate(&mut self, invariant: &'static str, text: String) {
        self.tell_all(|| format!("VIOLATION of {invariant}: {text}"));
        if self.violation.is_none() && !self.checks.amnesia {
            self.violation = Some(Violation { invariant, text, at: self.now });
        }
    }
}
