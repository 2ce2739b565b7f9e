//! Kubernetes: the servers, this instance's Node and, for the agent beside the leader, all Nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::join_all;
use quorate_core::alias::Probes;
use quorate_core::ids::InstanceId;
use quorate_core::memory::Memory;
use quorate_core::observation::{KubernetesView, ListedNode, Membership, NodeView, Observation, Process, Server, ServerSeen};
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::role::Role;
use quorate_core::time::Timestamp;
use tokio::time::timeout;

use super::last::Last;
use super::server_directory::{Need, ServerDirectory};
use crate::kubernetes::Kubernetes;
use crate::telemetry::chain;

/// A Node that is ready and stays is read once in this many cycles; so are, on a worker, the servers that it does not use.
const CYCLES_AT_REST: u32 = 5;
/// The list of all Nodes is read once in this many cycles: it is long, and only shows the dead.
const CYCLES_FOR_ALL: u32 = 15;

const NOT_ASKED: &str = "no API server was asked yet";

pub(super) struct KubernetesObserver {
    kubernetes: Option<Arc<Kubernetes>>,
    me: InstanceId,
    node: Last<Option<NodeView>>,
    nodes: Last<Vec<ListedNode>>,
    /// The servers that are known, and when each was last asked.
    servers: BTreeMap<Server, Option<Timestamp>>,
    probes: Probes,
    directory: ServerDirectory,
}

impl KubernetesObserver {
    pub(super) fn new(kubernetes: Option<Arc<Kubernetes>>, me: InstanceId, directory: ServerDirectory) -> Self {
        Self {
            kubernetes,
            me,
            node: Last::default(),
            nodes: Last::default(),
            servers: BTreeMap::new(),
            probes: Probes::default(),
            directory,
        }
    }

    /// Asks what is due. `seen` has everything else of this cycle.
    pub(super) async fn look(&mut self, seen: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> KubernetesView {
        let Some(kubernetes) = self.kubernetes.clone() else { return KubernetesView::none() };
        let points_at = kubernetes.points_at();
        let healthy = self.servers.keys().any(|server| self.probes.is_healthy(server.address));
        let starts = seen.me.role == Role::Worker && matches!(seen.local.process.fresh(), Some(Process::Stopped { .. }));
        self.directory.look(Need { server: !healthy, authority: starts }, policy, now).await;
        self.learn_servers(seen, memory);
        self.probe(&kubernetes, seen.me.role, points_at, policy, now).await;
        kubernetes.turn_to(self.servers.keys().map(|server| server.address).filter(|address| self.probes.is_healthy(*address)));
        self.look_at_nodes(&kubernetes, seen, memory, policy, now).await;
        KubernetesView {
            node: self.node.reading(now, policy.stale_after * CYCLES_AT_REST, NOT_ASKED),
            nodes: self.nodes.reading(now, policy.cycle * CYCLES_FOR_ALL * 3, NOT_ASKED),
            servers: self.view(),
            draining: kubernetes.draining(),
            points_at,
            authority: if starts {
                self.directory.authority(kubernetes.pinned(), now)
            } else {
                Reading::unknown("it is asked for before a start")
            },
        }
    }

    fn view(&self) -> Vec<ServerSeen> {
        let seen = |server: &Server| ServerSeen { server: server.clone(), healthy: self.probes.is_healthy(server.address) };
        self.servers.keys().map(seen).collect()
    }

    /// Learns the servers: the voters that a quorum lists, or otherwise those that peers name. If there is neither, those that the groups listed and that the
    /// store names.
    fn learn_servers(&mut self, seen: &Observation, memory: &Memory) {
        let address = |id: &InstanceId| match *id == self.me {
            true => Some(seen.me.address),
            false => memory.kept.seen.get(id).and_then(|one| one.address),
        };
        let known = |id: &InstanceId| address(id).map(|address| Server { instance: id.clone(), address });
        let by_quorum =
            seen.etcd.membership.fresh().into_iter().flat_map(Membership::voters).filter_map(|m| m.name.as_ref().and_then(known));
        let mut servers: Vec<Server> = by_quorum.collect();
        if servers.is_empty() {
            let told = seen.peers.values().filter_map(|peer| peer.fresh()).flat_map(|peer| peer.control_plane.servers.clone());
            servers = told.collect();
        }
        // If peers name servers other than AWS does, the ones from AWS are still kept.
        if !servers.iter().any(|server| address(&server.instance) == Some(server.address)) {
            servers.extend(memory.kept.seen.keys().filter_map(known));
            servers.extend(self.directory.servers());
            servers.sort_unstable();
            servers.dedup();
        }
        self.probes.keep_only(&servers);
        self.servers.retain(|server, _| servers.contains(server));
        for server in servers {
            self.servers.entry(server).or_default();
        }
    }

    /// Asks servers whether they answer. A server asks all of them; a worker asks the one that it uses, and the others only when it needs another.
    async fn probe(&mut self, kubernetes: &Kubernetes, role: Role, uses: Option<IpAddr>, policy: &Policy, now: Timestamp) {
        let used_is_well = uses.is_some_and(|address| self.probes.is_healthy(address));
        let rests = |server: &Server| role == Role::Worker && used_is_well && Some(server.address) != uses;
        let pause = |server: &Server| if rests(server) { policy.cycle * CYCLES_AT_REST } else { policy.cycle };
        let is_due = |(server, asked): &(&Server, &mut Option<Timestamp>)| asked.is_none_or(|at| now.since(at) >= pause(server));
        let due: Vec<_> = self.servers.iter_mut().filter(is_due).collect();
        let answers = join_all(due.iter().map(|(server, _)| kubernetes.answers(server.address))).await;
        for ((server, asked), answered) in due.into_iter().zip(answers) {
            *asked = Some(now);
            self.probes.note(server.address, answered);
        }
    }

    /// Reads this instance's Node within one call's time, however many servers there are to try: membership does not wait for the API.
    async fn ask_for_own(&self, kubernetes: &Kubernetes, policy: &Policy) -> Result<Option<NodeView>, String> {
        if !self.servers.keys().any(|server| self.probes.is_healthy(server.address)) {
            return Err(NO_SERVER.to_owned());
        }
        match timeout(policy.call_timeout, kubernetes.api().node_view(self.me.as_str())).await {
            Ok(node) => node.map_err(|error| chain(&error)),
            Err(_) => Err(NO_SERVER.to_owned()),
        }
    }

    async fn look_at_nodes(&mut self, kubernetes: &Kubernetes, seen: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) {
        let at_rest =
            self.node.value().is_some_and(|node| node.as_ref().is_some_and(|n| n.ready && n.is_voter != Some(false) && n.schedulable));
        let stays = memory.leaving.is_none() && seen.local.shutdown.is_none();
        let pause = if at_rest && stays { policy.cycle * CYCLES_AT_REST } else { policy.cycle };
        if self.node.is_due(now, pause) {
            self.node.take(self.ask_for_own(kubernetes, policy).await, now);
        }
        if seen.me.role == Role::ControlPlane && leads(seen) && self.nodes.is_due(now, policy.cycle * CYCLES_FOR_ALL) {
            let nodes = timeout(policy.call_timeout, kubernetes.api().list_nodes()).await;
            let nodes = nodes.map_err(|_| NO_SERVER.to_owned()).and_then(|nodes| nodes.map_err(|error| chain(&error)));
            self.nodes.take(nodes, now);
        }
    }
}

/// The error given at once if no server answers, so each one's time-out is not waited for.
const NO_SERVER: &str = "no API server answers";

/// Whether this node's own member leads, confirmed by a quorum.
fn leads(seen: &Observation) -> bool {
    let membership = seen.etcd.membership.fresh();
    let leader = membership.and_then(|m| m.get(m.leader?));
    leader.is_some_and(|member| member.name.as_ref() == Some(&seen.me.instance))
}
