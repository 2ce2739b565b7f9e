//! The gate: re-checks every step against the invariants, from the observation and the memory, with its own derivations, so that one mistake does not
//! pass twice. Its code uses nothing of the planner's but the vocabulary and the quorum arithmetic.
//!
//! It is not fully independent yet. Five things that it reads in the memory were put there by [`Memory::absorb`](crate::memory::Memory::absorb) with code
//! that the planner uses too, and a mistake in that code passes both:
//!
//! | in the memory | derived by | what rests on it here |
//! |---|---|---|
//! | `final_snapshot` | `planner::nobody_is_served` | the record `retired`: nothing was written after that snapshot |
//! | `quorum_lost` | `planner::loses_quorum_for_good` | how long quorum has been lost, before data is given up |
//! | `learner` | `planner::watched_learner` | a stuck learner may be removed |
//! | `leaving` | `Situation::departure` | this node is, or is not, on its way out |
//! | `kept.record` | `Situation::charter` | which charter record is the highest that was read |
//!
//! The rest of the memory that it reads is what was observed (who was heard when, what EC2 said) or what this agent itself did.

mod facts;
mod founding;
mod giving_up;
mod hooks;
mod local;
mod membership;
mod node;
mod notices;
mod pause;
mod snapshots;
mod targets;
mod version;

use crate::memory::Memory;
use crate::observation::Observation;
use crate::plan::Step;
use crate::policy::Policy;
use crate::time::Timestamp;

use facts::Facts;

/// Why a step was not let through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gate refused {step}: {why}")]
pub struct Refusal {
    /// The kind of step.
    pub step: &'static str,
    /// What it would break.
    pub why: &'static str,
}

type Verdict = Result<(), &'static str>;

/// Lets a step through, or says why not.
///
/// # Errors
/// The invariant that the step would break on what was observed.
pub fn check(step: &Step, observation: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> Result<(), Refusal> {
    let facts = Facts { seen: observation, memory, policy, now };
    verdict(step, &facts).map_err(|why| Refusal { step: step.kind(), why })
}

fn verdict(step: &Step, f: &Facts<'_>) -> Verdict {
    pause::permits(f, step)?;
    match step {
        Step::Heartbeat { hook } => require(f.is_own_hook(hook), "the hook is not ours"),
        Step::CompleteHook { hook, instance, result } => hooks::complete(f, hook, instance, *result),
        Step::CreateRecord(record) => founding::record(f, record),
        Step::StartMember(start) => local::start(f, start),
        Step::StopMember(reason) => local::stop(f, *reason),
        Step::PutDataAside { .. } => local::put_aside(f),
        Step::AdoptData { owner, member } => local::adopt(f, owner, *member),
        Step::RestoreOwnData { generation, .. } => local::restore(f, *generation),
        Step::FetchSnapshot { key } => snapshots::fetch(f, key),
        Step::RestoreSnapshot { key, generation, token } => snapshots::restore(f, key, *generation, token),
        Step::DropSuperseded => local::drop_superseded(f),
        Step::AcquireLock { .. } | Step::RenewLock { .. } | Step::ReleaseLock { .. } => Ok(()),
        // Whether an operator wants it was asked above.
        Step::SetPause { .. } | Step::ClearPause { .. } => f.membership().map(drop),
        Step::ForgetOrder => founding::forget_order(f),
        Step::AddLearner { peer_url, .. } => membership::add(f, *peer_url),
        Step::Promote { member, .. } => membership::promote(f, *member),
        Step::RemoveMember { member, .. } => membership::remove(f, *member),
        Step::UpdatePeerUrl { member, peer_url, .. } => membership::update_peer_url(f, *member, *peer_url),
        Step::MoveLeader { to, .. } => membership::move_leader(f, *to),
        Step::ReportUnhealthy => membership::report_unhealthy(f),
        Step::Node(step) => node::step(f, step),
        Step::DeregisterTarget { group } => targets::deregister(f, group),
        Step::TakeSnapshot(order) => snapshots::take(f, order),
        Step::DrillSnapshot { key } => snapshots::drill(f, key),
        Step::PruneSnapshots { keys, abandoned } => snapshots::prune(f, keys, abandoned),
    }
}

fn require(holds: bool, why: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(why) }
}
