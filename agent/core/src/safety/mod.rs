//! The gate: re-checks every step against the invariants, with its own derivations, so one mistake does not pass twice.
//!
//! It shares the vocabulary and the quorum arithmetic with the planner, and no other code. It watches for itself what has to be watched over time
//! (`watch.rs`): whether any client can still write, since when quorum has been lost, whether a learner makes progress, which member leads, and since when
//! this node has had to leave.
//!
//! What a refused step would break is a type (`refusal.rs`), with the values that decided. Its sentence is in `explain/refusals.rs`.
//!
//! From the memory it reads what was observed (which agent was heard when, what EC2 said), what this agent itself did, and what an operator ordered. One
//! value there is derived by code that the planner uses too: `kept.record`, the highest charter record that was read, which survives a restart
//! (`Situation::charter`). The gate judges for itself what the store shows now, and the memory can only make that judgement stricter.

mod certificates;
mod consent;
mod facts;
mod founding;
mod giving_up;
mod hooks;
mod last_voter;
mod local;
mod membership;
mod memory;
mod needs;
mod node;
mod notices;
mod pause;
mod reattached;
pub mod refusal;
mod snapshots;
mod targets;
mod time_left;
mod verdict;
mod version;
mod watch;

use crate::memory::Memory;
use crate::observation::Observation;
use crate::plan::Step;
use crate::policy::Policy;
use crate::time::Timestamp;

use facts::Facts;
use memory::GateMemory;
use refusal::HookFault;
pub use refusal::{Refusal, Violation};
use verdict::{Verdict, require};

/// The gate, with the little that it remembers on its own.
///
/// # Flow
/// It [absorbs](Self::absorb) every observation, [checks](Self::check) the step that was planned, and learns when one is [let through](Self::let_through).
///
/// # Guarantees
/// Pure. It only ever refuses: it never chooses another step.
///
/// # Assumptions
/// It has absorbed every observation since the agent started, up to the one on which the step rests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    memory: GateMemory,
}

impl Gate {
    /// Takes in what was observed.
    pub fn absorb(&mut self, seen: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) {
        self.memory = watch::after(&self.memory, &Facts { seen, memory, gate: &self.memory, policy, now });
    }

    /// Lets a step through, or says why not.
    ///
    /// # Errors
    /// The invariant that the step would break on what was observed.
    pub fn check(&self, step: &Step, seen: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> Result<(), Refusal> {
        let facts = Facts { seen, memory, gate: &self.memory, policy, now };
        verdict(step, &facts).map_err(|why| Refusal { step: step.kind(), why })
    }

    /// Notes that a step is about to be taken.
    pub fn let_through(&mut self, step: &Step) {
        self.memory.let_through(step);
    }
}

fn verdict(step: &Step, f: &Facts<'_>) -> Verdict {
    pause::permits(f, step)?;
    match step {
        Step::Heartbeat { hook } => require(f.is_own_hook(hook), HookFault::NotOurs(hook.clone())),
        Step::CompleteHook { hook, instance, result } => hooks::complete(f, hook, instance, *result),
        Step::CreateRecord(record) => founding::record(f, record),
        Step::StartMember(start, transport) => local::start(f, start, *transport),
        Step::StopMember(reason) => local::stop(f, *reason),
        Step::PutDataAside { .. } => local::put_aside(f),
        Step::AdoptData { owner, member } => local::adopt(f, owner, *member),
        Step::RestoreOwnData { generation, transport, .. } => local::restore(f, *generation, *transport),
        Step::FetchSnapshot { key } => snapshots::fetch(f, key),
        Step::RestoreSnapshot { key, generation, token, transport } => {
            snapshots::restore(f, key, *generation, token).and_then(|()| f.needs_transport(*transport))
        }
        Step::DropSuperseded => local::drop_superseded(f),
        Step::AcquireLock { .. } | Step::RenewLock { .. } | Step::ReleaseLock { .. } => Ok(()),
        // `pause::permits` has checked that an operator wants it.
        Step::SetPause { .. } | Step::ClearPause { .. } => f.membership().map(drop),
        Step::ForgetOrder => founding::forget_order(f),
        Step::AddLearner { peer_url, .. } => membership::add(f, *peer_url),
        Step::Promote { member, .. } => membership::promote(f, *member),
        Step::RemoveMember { member, .. } => membership::remove(f, *member),
        Step::UpdatePeerUrl { member, peer_url, .. } => membership::update_peer_url(f, *member, *peer_url),
        Step::MoveLeader { via, to } => membership::move_leader(f, via.member, *to),
        Step::ReportUnhealthy => membership::report_unhealthy(f),
        Step::Node(step) => node::step(f, step),
        Step::DeregisterTarget { group } => targets::deregister(f, group),
        Step::TakeSnapshot(order) => snapshots::take(f, order),
        Step::DrillSnapshot { key } => snapshots::drill(f, key),
        Step::PruneSnapshots { keys, abandoned } => snapshots::prune(f, keys, abandoned),
    }
}
