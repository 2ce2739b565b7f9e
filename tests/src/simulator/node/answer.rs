//! What an agent tells its peers after each decision.

use quorate_core::memory::Memory;
use quorate_core::observation::{DataClaim, LocalData, Observation, PeerAnswer};
use quorate_core::report::Phase;
use quorate_core::time::Timestamp;

use super::{Agent, Answer};

impl Agent {
    /// Brings the answer up to date; the record is copied only when it changed.
    pub(crate) fn answer(&self, last: &mut Option<Answer>, now: Timestamp) {
        let Some(report) = &self.report else { return };
        let Some(answer) = last else {
            *last = Some(Answer { record_version: 0, said: first_answer(&self.memory) });
            return self.answer(last, now);
        };
        if answer.said.record != self.memory.kept.record {
            answer.said.record = self.memory.kept.record.clone();
            answer.record_version += 1;
        }
        let leaving = self.memory.leaving.is_some();
        answer.said.phase = report.phase;
        answer.said.data = data_claim(&self.seen);
        answer.said.quorum = self.seen.etcd.membership.fresh().map(|m| m.cluster);
        answer.said.leaving = leaving;
        answer.said.leave_within_ms = report.until.filter(|_| leaving).map(|until| millis(until, now));
    }
}

/// What an agent says before its first decision.
pub(crate) fn first_answer(memory: &Memory) -> PeerAnswer {
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

fn millis(until: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX)
}

/// The same as the daemon's.
fn data_claim(seen: &Observation) -> DataClaim {
    let identity = match seen.local.data.fresh() {
        None => return DataClaim::Unknown,
        Some(LocalData::Empty) => return DataClaim::None,
        Some(LocalData::Present(identity)) => identity,
    };
    let (Some(cluster), Some(member)) = (identity.cluster, identity.member) else { return DataClaim::Unknown };
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
