//! What a node reports about itself to its peers, which found, recover and leave on the strength of it.

use crate::ids::InstanceId;
use crate::memory::Memory;
use crate::observation::{ControlPlane, DataClaim, LocalData, Lock, Membership, Observation, PeerAnswer, Process, Server};
use crate::report::{Phase, Report};
use crate::rotation::{Told, Trust};
use crate::time::Timestamp;

impl PeerAnswer {
    /// Before the first look nothing is known, and nothing is consented to.
    #[must_use]
    pub fn before_the_first_look(memory: &Memory) -> Self {
        Self {
            instance: memory.kept.instance.clone(),
            phase: Phase::Starting,
            record: memory.kept.record.clone(),
            data: DataClaim::Unknown,
            quorum: None,
            control_plane: ControlPlane::default(),
            etcd: None,
            refused: None,
            received: None,
            certificates: None,
            leaving: false,
            leave_within_ms: None,
            signed_by: None,
            certified: false,
        }
    }

    /// Brings it up to date after a decision; true if the record in it has changed.
    pub fn update(&mut self, seen: &Observation, memory: &Memory, report: &Report, now: Timestamp) -> bool {
        let record_changed = self.record != memory.kept.record;
        if record_changed {
            self.record.clone_from(&memory.kept.record);
        }
        let within = |until: Timestamp| u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX);
        self.phase = report.phase;
        // A node that has forgotten consents to nothing.
        self.data = if memory.kept.forgotten { DataClaim::Unknown } else { data_claim(seen) };
        self.quorum = seen.etcd.membership.fresh().map(|m| m.cluster);
        self.control_plane = control_plane(seen, memory);
        self.etcd = seen.local.etcd.version.last().copied();
        self.refused = memory.local.refused.map(|(why, _)| why);
        self.received = seen.local.effort.received;
        self.certificates = certificates(seen, memory);
        self.leaving = memory.leaving.is_some();
        self.leave_within_ms = report.until.filter(|_| self.leaving).map(within);
        record_changed
    }
}

fn control_plane(seen: &Observation, memory: &Memory) -> ControlPlane {
    let holds_lock = matches!(seen.etcd.lock.fresh(), Some(Lock::Mine { .. }));
    let admits = memory.servers.admission.as_ref().filter(|_| holds_lock).map(|a| a.instance.clone());
    ControlPlane { seeks: memory.servers.seeks, admits, servers: servers(seen, memory) }
}

/// The voters that answer and whose addresses are known; only for a control plane.
fn servers(seen: &Observation, memory: &Memory) -> Vec<Server> {
    if !seen.me.role.ways().is_let_in {
        return Vec::new();
    }
    let voters = seen.etcd.membership.fresh().into_iter().flat_map(Membership::voters);
    let healthy = voters.filter(|m| seen.etcd.statuses.get(&m.id).and_then(|s| s.fresh()).is_some_and(|s| s.leader.is_some()));
    let address = |id: &InstanceId| match *id == seen.me.instance {
        true => Some(seen.me.address),
        false => memory.kept.seen.get(id).and_then(|s| s.address),
    };
    let known = healthy.filter_map(|m| m.name.clone()).filter_map(|id| address(&id).map(|address| Server { instance: id, address }));
    let mut all: Vec<Server> = known.collect();
    all.sort();
    all
}

/// What this node says of its certificates, once it has some.
pub(crate) fn certificates(seen: &Observation, memory: &Memory) -> Option<Told> {
    let files = seen.local.certificates.fresh()?.trust();
    Some(Told { files, loaded: memory.kept.loaded.unwrap_or(Trust { also: None, ..files }) })
}

/// What this node says of its own data.
pub(crate) fn data_claim(seen: &Observation) -> DataClaim {
    let identity = match seen.local.data.fresh() {
        None => return DataClaim::Unknown,
        Some(LocalData::Empty) => return without_log(seen),
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
        revision: status.and_then(|s| s.revision),
    }
}

/// What an empty disk, or a directory without a write-ahead log, holds: no member, unless etcd is just about to write one. k3s waits for its turn to join
/// with nothing on the disk, and then votes within a second.
fn without_log(seen: &Observation) -> DataClaim {
    match seen.local.process.fresh() {
        Some(Process::Stopped { .. }) => DataClaim::None,
        Some(Process::Running { .. }) | None => DataClaim::Unknown,
    }
}
