//! Executing one step against the models.

mod aws;
mod disk;
mod etcd;
mod kubernetes;
mod snapshots;

use quorate_core::plan::{Outcome, Step};

use crate::simulator::etcd_model::CallError;
use crate::simulator::world::World;

/// What becomes of a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    LostBefore,
    LostAfter,
}

const NO_ANSWER: &str = "no answer";

impl World {
    pub(crate) fn execute(&mut self, n: usize, step: &Step) -> Outcome {
        match step {
            Step::Heartbeat { hook } => self.heartbeat(n, hook),
            Step::CompleteHook { hook, instance, result } => self.complete(n, hook, instance, *result),
            Step::ReportUnhealthy => self.report_unhealthy(n),
            Step::CreateRecord(record) => self.create_record(n, record),
            Step::StartMember(start, _) => self.start_member(n, start),
            Step::StopMember(reason) => self.stop_member(n, *reason),
            Step::PutDataAside { .. } => self.put_data_aside(n),
            // Volumes stay with their instances, and instances with their addresses.
            Step::AdoptData { .. } | Step::UpdatePeerUrl { .. } => self.refused("no volume was moved"),
            Step::RestoreOwnData { generation, token, .. } => self.restore_own_data(n, *generation, token),
            Step::DropSuperseded => self.drop_superseded(n),
            Step::AcquireLock { via, purpose } => self.acquire_lock(n, via, *purpose),
            Step::RenewLock { via } => self.renew_lock(n, via),
            Step::ReleaseLock { via } => self.release_lock(n, via),
            Step::AddLearner { via, peer_url } => self.add_learner(n, via, peer_url),
            Step::Promote { via, member } => self.promote(n, via, *member),
            Step::RemoveMember { via, member } => self.remove_member(n, via, *member),
            Step::MoveLeader { via, to } => self.move_leader(n, via, *to),
            // No target groups are configured, and nothing else hangs on one.
            Step::ForgetOrder | Step::DeregisterTarget { .. } => Outcome::Done,
            Step::TakeSnapshot(order) => self.take_snapshot(n, order),
            Step::DrillSnapshot { key } => self.drill_snapshot(n, key),
            Step::PruneSnapshots { keys, abandoned } => self.prune_snapshots(n, keys, abandoned),
            Step::FetchSnapshot { key } => self.fetch_snapshot(n, key),
            Step::RestoreSnapshot { key, generation, token, .. } => self.restore_snapshot(n, key, *generation, token),
            Step::Node(step) => self.node_step(n, step),
            Step::SetPause { via, pause } => self.set_pause(n, via, Some(pause)),
            Step::ClearPause { via } => self.set_pause(n, via, None),
        }
    }

    /// What the weather makes of a call.
    pub(super) fn fate(&mut self) -> Fate {
        if self.rng.chance(self.weather.lost_calls) {
            Fate::LostBefore
        } else if self.rng.chance(self.weather.lost_answers) {
            Fate::LostAfter
        } else {
            Fate::Delivered
        }
    }

    /// Turns a result into an outcome, unless its answer is lost.
    pub(super) fn outcome<T>(&mut self, fate: Fate, result: Result<T, CallError>) -> Outcome {
        match result {
            _ if fate == Fate::LostAfter => Outcome::Unclear(NO_ANSWER.into()),
            Ok(_) => Outcome::Done,
            Err(CallError::Refused(why)) => self.refused(why),
            Err(CallError::Timeout) => Outcome::Unclear("timed out".into()),
        }
    }

    pub(super) fn refused(&mut self, why: &str) -> Outcome {
        self.stats.refused_by_others += 1;
        Outcome::Refused(why.into())
    }
}

pub(super) fn no_answer() -> Outcome {
    Outcome::Unclear(NO_ANSWER.into())
}
