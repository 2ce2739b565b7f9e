//! What a template may use: the living peers, in an order that changes only when they do.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use quorate_core::ids::{ClusterName, InstanceId};
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::{Member, Server};
use quorate_core::role::Role;
use serde::Serialize;

use crate::cycle::Cycle;

/// The names that a template may use. What is not known is absent, and a template that uses it waits until it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Context {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// This instance.
    pub instance: InstanceId,
    /// What its group is for: `etcd`, `control-plane` or `worker`.
    pub role: &'static str,
    /// The cluster's generation, which each recovery raises by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The servers of the control plane that stay, by instance; never empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<Vec<Peer>>,
    /// The members of etcd that vote and stay, by instance; never empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Peer>>,
    /// The member that leads, if it is one of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<Peer>,
}

/// One of the living.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Its instance.
    pub instance: InstanceId,
    /// Its address.
    pub address: IpAddr,
    /// Its address as written in a URL: an IPv6 one is in brackets.
    pub host: String,
    /// Where its etcd serves clients; none for servers, where it does not matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_url: Option<MemberUrl>,
}

impl Context {
    /// What the last cycle knows.
    #[must_use]
    pub fn of(cycle: &Cycle) -> Self {
        let me = &cycle.seen.me;
        let leader = cycle.seen.etcd.membership.fresh().and_then(|membership| membership.get(membership.leader?)?.name.clone());
        let members = members(cycle);
        Self {
            cluster: me.cluster.clone(),
            instance: me.instance.clone(),
            role: me.role.as_str(),
            generation: cycle.memory.kept.record.as_ref().map(|record| record.generation.0),
            servers: some(servers(cycle).into_iter().map(|server| Peer::new(server.instance, server.address, None)).collect()),
            leader: members.iter().find(|member| Some(&member.instance) == leader.as_ref()).cloned(),
            members: some(members),
        }
    }

    /// The first of these names that is ours and currently unknown.
    #[must_use]
    pub fn lacks(&self, used: &HashSet<String>) -> Option<&'static str> {
        let known = [
            ("members", self.members.is_some()),
            ("servers", self.servers.is_some()),
            ("leader", self.leader.is_some()),
            ("generation", self.generation.is_some()),
        ];
        known.into_iter().find(|(name, known)| !known && used.contains(*name)).map(|(name, _)| name)
    }
}

impl Peer {
    /// One of the living.
    #[must_use]
    pub fn new(instance: InstanceId, address: IpAddr, client_url: Option<MemberUrl>) -> Self {
        let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        Self { instance, address, host, client_url }
    }
}

/// The servers of the control plane that stay, by instance: from this node's own etcd list if it can be read, otherwise from the peers. A group of etcd members
/// has none.
#[must_use]
pub fn servers(cycle: &Cycle) -> Vec<Server> {
    let own = || cycle.staying_voters().map(|voters| voters.into_iter().filter_map(server).collect::<Vec<_>>());
    let found = match cycle.seen.me.role {
        Role::Etcd => Vec::new(),
        Role::ControlPlane => own().filter(|servers| !servers.is_empty()).unwrap_or_else(|| told(cycle)),
        Role::Worker => told(cycle),
    };
    // Two peers may name the same one.
    let by_instance: BTreeMap<_, _> = found.into_iter().map(|server| (server.instance.clone(), server)).collect();
    by_instance.into_values().collect()
}

fn told(cycle: &Cycle) -> Vec<Server> {
    let answers = cycle.seen.peers.values().filter_map(|peer| peer.fresh());
    answers.flat_map(|answer| &answer.control_plane.servers).filter(|server| cycle.stays(&server.instance)).cloned().collect()
}

fn server(member: &Member) -> Option<Server> {
    Some(Server { instance: member.name.clone()?, address: member.client_url?.address() })
}

fn members(cycle: &Cycle) -> Vec<Peer> {
    let voters = cycle.staying_voters().unwrap_or_default();
    let peer = |member: &Member| {
        let url = member.client_url?;
        Some(Peer::new(member.name.clone()?, url.address(), Some(url)))
    };
    let mut members: Vec<Peer> = voters.into_iter().filter_map(peer).collect();
    members.sort_by(|a, b| a.instance.cmp(&b.instance));
    members
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
