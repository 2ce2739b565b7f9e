//! What this node tells its peers of itself.

use quorate_core::memory::Memory;
use quorate_core::observation::{DataClaim, LocalData, Observation, PeerAnswer, Process};
use quorate_core::report::Phase;
use quorate_core::time::Timestamp;

use crate::cycle::Cycle;

/// Before the first look nothing is known, and nothing is consented to.
#[must_use]
pub fn before_the_first_look(memory: &Memory) -> PeerAnswer {
    PeerAnswer {
        instance: memory.kept.instance.clone(),
        phase: Phase::Starting,
        record: memory.kept.record.clone(),
        data: DataClaim::Unknown,
        quorum: None,
        leaving: false,
        leave_within_ms: None,
    }
}

/// What this node tells its peers after a cycle.
#[must_use]
pub fn of(cycle: &Cycle) -> PeerAnswer {
    let Cycle { seen, memory, plan, at: now, .. } = cycle;
    let leaving = memory.leaving.is_some();
    let within = |until: Timestamp| u64::try_from(until.since(*now).as_millis()).unwrap_or(u64::MAX);
    PeerAnswer {
        instance: memory.kept.instance.clone(),
        phase: plan.report.phase,
        record: memory.kept.record.clone(),
        data: data_claim(seen),
        quorum: seen.etcd.membership.fresh().map(|m| m.cluster),
        leaving,
        leave_within_ms: plan.report.until.filter(|_| leaving).map(within),
    }
}

fn data_claim(seen: &Observation) -> DataClaim {
    let identity = match seen.local.data.fresh() {
        None => return DataClaim::Unknown,
        Some(LocalData::Empty) => return DataClaim::None,
        Some(LocalData::Present(identity)) => identity,
    };
    let (Some(cluster), Some(member)) = (identity.cluster, identity.member) else { return without_log(seen) };
    let status = seen.etcd.statuses.get(&member).and_then(|s| s.fresh());
    DataClaim::Holds {
        cluster,
        member,
        generation: identity.generation,
        voter: status.map(|s| !s.learner),
        term: status.map(|s| s.term),
        applied: status.map(|s| s.applied),
    }
}

/// A directory without a write-ahead log holds no member, unless etcd is just about to write one.
fn without_log(seen: &Observation) -> DataClaim {
    match seen.local.process.fresh() {
        Some(Process::Stopped { .. }) => DataClaim::None,
        Some(Process::Running { .. }) | None => DataClaim::Unknown,
    }
}
