//! An abstract etcd: logs, terms, quorums, learners and the rules of strict reconfiguration, on as many hosts as there are.
//!
//! One [`Etcd`] holds the servers of all hosts and so may hold several clusters; servers talk only within their own cluster id. The
//! rules are those of `shared/reference/etcd-and-distro-facts.md` A1 to A5, and the tests here are its examples.

mod connections;
mod data;
mod lifecycle;
mod lock;
mod raft;
mod reconfig;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use quorate_core::ids::{EtcdClusterId, InstanceId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::Member;
use quorate_core::pausing::Pause;
use quorate_core::role::Role;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;

use super::rng::Rng;
use connections::Connections;
pub(crate) use data::{Change, Data, Entry};
pub(crate) use lock::Held;
pub(crate) use reconfig::Rule;

/// A host's place in the model; the same number is its node's in the simulator.
pub(crate) type Host = usize;

/// How long a peer must have been connected before strict reconfiguration counts it.
pub(crate) const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
/// A leader without quorum steps down after this.
const ELECTION_TIMEOUT: u64 = 1000;
/// What etcd says as it ends because its member was removed; k3s writes a tombstone then.
pub(crate) const REMOVED: &str = "the member has been permanently removed from the cluster";
/// How long a removed member lives on; a removed leader continues to replicate.
const AFTER_REMOVAL: Duration = Duration::from_secs(1);

/// Which hosts can exchange packets, both ways, at the moment.
pub(crate) trait Links {
    /// Whether `from` can open a connection to `to`.
    fn open(&self, from: Host, to: Host) -> bool;

    /// Whether both can.
    fn both(&self, a: Host, b: Host) -> bool {
        self.open(a, b) && self.open(b, a)
    }
}

/// Why a call returned nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// etcd said no, in these words; nothing changed.
    Refused(&'static str),
    /// No answer: it may still happen.
    Timeout,
}

/// A process that runs.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) since: Timestamp,
    pub(crate) loopback_only: bool,
    /// It has published itself through a quorum; before that its client port does not answer.
    pub(crate) ready: bool,
    pub(crate) leads: bool,
    pub(crate) leader: Option<MemberId>,
    /// When it lost its leader, or as a leader its quorum.
    quiet_since: Option<Timestamp>,
    /// When a removed member's process ends.
    doomed: Option<Timestamp>,
    /// How long it waits before it stands for election.
    patience: Duration,
}

/// One host's etcd.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: IpAddr,
    pub(crate) peer_url: MemberUrl,
    pub(crate) client_url: MemberUrl,
    pub(crate) name: InstanceId,
    pub(crate) data: Option<Data>,
    pub(crate) run: Option<Run>,
    /// The machine is suspended: its process neither answers nor counts.
    pub(crate) frozen: bool,
    pub(crate) last_exit: Option<&'static str>,
    /// Since when and until when its leader sends it a snapshot; it applies and answers nothing before.
    pub(crate) receives: Option<(Timestamp, Timestamp)>,
}

impl Server {
    /// Its data and process, if it runs and is not frozen.
    pub(crate) fn live(&self) -> Option<(&Data, &Run)> {
        if self.frozen {
            return None;
        }
        Some((self.data.as_ref()?, self.run.as_ref()?))
    }

    fn live_mut(&mut self) -> Option<(&mut Data, &mut Run)> {
        if self.frozen {
            return None;
        }
        Some((self.data.as_mut()?, self.run.as_mut()?))
    }
}

/// Every host's etcd.
#[derive(Debug)]
pub(crate) struct Etcd {
    pub(crate) servers: Vec<Server>,
    connections: Connections,
    locks: BTreeMap<EtcdClusterId, Held>,
    pauses: BTreeMap<EtcdClusterId, Pause>,
    rule: Rule,
    /// Entries that a member far behind receives in one tick.
    catch_up: usize,
    /// Counts membership additions, so no member id is given twice.
    added: u64,
    rng: Rng,
}

impl Etcd {
    pub(crate) fn new(rule: Rule, catch_up: usize, rng: Rng) -> Self {
        Self {
            servers: Vec::new(),
            connections: Connections::default(),
            locks: BTreeMap::new(),
            pauses: BTreeMap::new(),
            rule,
            catch_up,
            added: 0,
            rng,
        }
    }

    /// A host for the instance `name` at `address`, whose URLs are its role's.
    pub(crate) fn add_host(&mut self, name: InstanceId, address: IpAddr, role: Role) -> Host {
        self.servers.push(Server {
            address,
            peer_url: role.peer_url(address, Transport::Plain),
            client_url: role.client_url(address, Transport::Plain),
            name,
            data: None,
            run: None,
            frozen: false,
            last_exit: None,
            receives: None,
        });
        self.servers.len() - 1
    }

    /// The live host that runs this member.
    pub(crate) fn host_of(&self, cluster: EtcdClusterId, member: MemberId) -> Option<Host> {
        self.servers.iter().position(|s| s.live().is_some_and(|(d, _)| d.cluster == cluster && d.member == member))
    }

    /// Hosts with a live process.
    pub(crate) fn live_hosts(&self) -> impl Iterator<Item = Host> + '_ {
        (0..self.servers.len()).filter(|h| self.servers[*h].live().is_some())
    }

    /// The entries of `host`'s list that are voters and connected to it, itself included.
    fn connected_voters(&self, host: Host, links: &impl Links) -> usize {
        let Some((data, _)) = self.servers[host].live() else { return 0 };
        data.voters().filter(|m| m.id == data.member || self.peer(host, m, links).is_some()).count()
    }

    /// The live host of `member` as `host` can reach it: at its peer URL, with that member id, in the same cluster.
    fn peer(&self, host: Host, member: &Member, links: &impl Links) -> Option<Host> {
        let cluster = self.servers[host].data.as_ref()?.cluster;
        let other = self.host_of(cluster, member.id)?;
        (other != host && member.peer_url == self.servers[other].peer_url && links.both(host, other)).then_some(other)
    }
}
