//! A cycle that saw what a test specifies.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate::cycle::Cycle;
use quorate_core::charter::{Record, State};
use quorate_core::ids::{Generation, InstanceId, MemberId};
use quorate_core::memory::{KnownInstance, Memory, PersistentState};
use quorate_core::observation::{ControlPlane, Me, Member, Membership, Observation, PeerAnswer, PeerUrl, Server};
use quorate_core::plan::Plan;
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::report::{Phase, Report, RuleId};
use quorate_core::role::Role;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;

use crate::fixtures;

const NOW: Timestamp = Timestamp(1_000_000);

pub(crate) fn id(n: u8) -> InstanceId {
    InstanceId::new(&format!("i-{n}"))
}

pub(crate) fn address(n: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, n])
}

pub(crate) fn server(n: u8) -> Server {
    Server { instance: id(n), address: address(n) }
}

/// Instance 1 of a cluster in its third generation, and nothing seen yet.
pub(crate) fn nothing(role: Role) -> Cycle {
    let mut memory = Memory::new(PersistentState::new(id(1)), NOW);
    memory.kept.record = Some(record(State::Established));
    let report = Report {
        phase: Phase::Voter,
        rule: RuleId::Serve,
        message: "serves".into(),
        awaits: None,
        overdue: None,
        until: None,
        needs_operator: false,
    };
    Cycle {
        seen: Observation::unknown(Me { role, ..fixtures::me() }, "nothing is known"),
        memory,
        policy: Arc::new(Policy::default()),
        plan: Plan { step: None, report, look_again: Duration::from_secs(2) },
        refusal: None,
        since: NOW,
        at: NOW,
    }
}

pub(crate) fn record(state: State) -> Record {
    Record { generation: Generation(3), ever_established: Some(Generation(3)), ..fixtures::record(state) }
}

/// A quorum's list of these members, which `leader` leads; learners are given with a minus.
pub(crate) fn members(cycle: &mut Cycle, list: &[i8], leader: u8) {
    let role = cycle.seen.me.role;
    let member = |n: &i8| {
        let at = n.unsigned_abs();
        let (peer_url, client_url) =
            (PeerUrl::At(role.peer_url(address(at), Transport::Plain)), Some(role.client_url(address(at), Transport::Plain)));
        Member { id: MemberId(u64::from(at)), name: Some(id(at)), peer_url, client_url, learner: *n < 0 }
    };
    // AWS has named them.
    for n in list {
        let seen = KnownInstance { group: Some("g".into()), address: Some(address(n.unsigned_abs())), launched: None };
        cycle.memory.kept.seen.insert(id(n.unsigned_abs()), seen);
    }
    let leader = Some(MemberId(u64::from(leader)));
    let members = list.iter().map(member).collect();
    let membership = Membership { cluster: quorate_core::ids::EtcdClusterId(1), leader, via: MemberId(1), members };
    cycle.seen.etcd.membership = Reading::Fresh(membership, NOW);
}

/// Peer `n` answers, with the servers that it knows.
pub(crate) fn peer(cycle: &mut Cycle, n: u8, leaving: bool, servers: &[u8]) {
    let control_plane = ControlPlane { servers: servers.iter().map(|n| server(*n)).collect(), ..ControlPlane::default() };
    let answer = PeerAnswer { control_plane, leaving, ..fixtures::answer(id(n), Phase::Voter) };
    cycle.seen.peers.insert(id(n), Reading::Fresh(answer, NOW));
}
