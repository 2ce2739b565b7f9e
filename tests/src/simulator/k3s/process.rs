//! The process: started by the agent or by somebody else, on its present configuration file.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::observation::Member;
use quorate_core::plan::Start;

use super::{Config, Joining};
use crate::simulator::etcd_model::{CallError, Data, REMOVED};
use crate::simulator::world::World;

/// The token of every cluster that k3s founds: it passes none to etcd.
const TOKEN: &str = "etcd-cluster";
/// Its restore passes an empty one.
const RESET_TOKEN: &str = "";
/// How often k3s tries again to add its member.
const RETRY: Duration = Duration::from_secs(1);
/// Refusals that k3s waits out; any other ends it.
const PASSING: &[&str] = &["etcdserver: too many learner members in cluster", "etcdserver: unhealthy cluster"];
const UNREACHED: &str = "failed to get CA certs: connection refused";
const DUPLICATE: &str = "duplicate node name found, please use a unique name for this node";
/// In a thousand: how often a server that ended because its member was removed is started again by somebody.
const MEDDLED: u64 = 300;

impl World {
    /// k3s, or etcd where it runs alone, runs on that machine.
    pub(crate) fn process_runs(&self, n: usize) -> bool {
        self.etcd.servers[n].run.is_some() || self.nodes[n].k3s.joining.is_some()
    }

    /// The process ends: on SIGTERM, which hands the leadership over, or at once.
    pub(crate) fn end_process(&mut self, n: usize, gently: bool) {
        let unit = &mut self.nodes[n].k3s;
        (unit.joining, unit.started) = (None, None);
        if gently { self.etcd.stop(n, &self.network) } else { self.etcd.kill(n) }
    }

    /// The agent writes the configuration file and starts the process.
    pub(crate) fn start_server(&mut self, n: usize, start: &Start) {
        let (server, loopback_only) = match start {
            Start::Found { .. } => (None, !self.is_sabotaged(crate::simulator::sabotage::Sabotage::ServeBeforeEstablished)),
            Start::JoinServer { server, .. } => (Some(*server), false),
            Start::Resume { loopback_only, server } => (*server, *loopback_only),
            Start::Alone => (None, true),
            Start::Join { .. } | Start::Worker { .. } => return,
        };
        let node = &mut self.nodes[n];
        node.k3s.config = Some(Config { server, loopback_only, etcd_alone: *start == Start::Alone });
        node.k3s.kept_down = false;
        if let Start::Found { generation, .. } | Start::JoinServer { generation, .. } = start {
            node.disk.generation = Some(*generation);
            node.disk.started_in_vain = true;
        }
        self.start_as_configured(n, TOKEN);
    }

    /// `--cluster-reset` with a snapshot. Its Nodes come with it; the file is a founder's.
    pub(crate) fn reset_server(&mut self, n: usize, snapshot: &Data) {
        self.etcd.restore_from(n, RESET_TOKEN, snapshot);
        self.was_reset(n, snapshot);
    }

    /// The same with a copy of its own data, which is returned.
    pub(crate) fn reset_server_to_its_own(&mut self, n: usize) -> Option<Data> {
        let old = self.etcd.restore(n, RESET_TOKEN)?;
        self.was_reset(n, &old);
        Some(old)
    }

    fn was_reset(&mut self, n: usize, snapshot: &Data) {
        let nodes = self.kubernetes.nodes.get(&snapshot.cluster).cloned().unwrap_or_default();
        if let Some(data) = &self.etcd.servers[n].data {
            self.kubernetes.nodes.insert(data.cluster, nodes);
            // The authorities come with the data: what any server has of them is good for the new cluster too.
            let old = self.nodes.iter_mut().filter(|node| node.k3s.kubeconfig == Some(snapshot.cluster));
            old.for_each(|node| node.k3s.kubeconfig = Some(data.cluster));
        }
        // The reset is a run of its own, and ends well: nothing is left of how the process before it ended.
        self.etcd.servers[n].last_exit = None;
        let unit = &mut self.nodes[n].k3s;
        unit.config = Some(Config { server: None, loopback_only: true, etcd_alone: false });
        (unit.credentials, unit.kubeconfig, unit.tombstone) = (true, None, false);
    }

    /// Somebody restarts the process, or starts it again: the file is what the agent wrote last. Without anything in its data directory no
    /// condition of its unit lets it start.
    pub(crate) fn meddle(&mut self, n: usize) -> bool {
        let node = &self.nodes[n];
        let there = self.etcd.servers[n].data.is_some() || node.disk.started_in_vain;
        // Without an agent its configuration may name no other server, and then a restart founds a cluster: no agent is to blame for that.
        if !node.powered || node.agent_gone || node.is_frozen() || node.k3s.kept_down || node.k3s.config.is_none() || !there {
            return false;
        }
        self.tell(n, || "somebody restarts its k3s".into());
        self.end_process(n, true);
        // Another token, so a second cluster is not mistaken for the first: the ids depend only on it and the address.
        let token = format!("{TOKEN} of {}", self.now);
        self.start_as_configured(n, &token);
        self.stats.unplanned_starts += 1;
        true
    }

    /// Data on the disk wins over the file; a tombstone beside it has it put away first, and with it the agent's label.
    fn start_as_configured(&mut self, n: usize, token: &str) {
        let (now, node) = (self.now, &mut self.nodes[n]);
        let Some(config) = node.k3s.config.clone() else { return };
        (node.k3s.started, node.k3s.registered, node.k3s.restart_at) = (Some(now), false, None);
        if std::mem::take(&mut node.k3s.tombstone) {
            self.etcd.servers[n].data = None;
            (node.disk.generation, node.disk.started_in_vain) = (None, true);
        }
        let has_data = self.etcd.servers[n].data.is_some();
        match config.server {
            _ if has_data => drop(self.etcd.resume(n, config.loopback_only, now)),
            Some(server) => node.k3s.joining = Some(Joining { since: now, server, contacted: false, next: now + RETRY }),
            None => self.etcd.found(n, token, config.loopback_only, now),
        }
        if has_data || config.server.is_none() {
            self.has_etcd(n);
        }
    }

    fn has_etcd(&mut self, n: usize) {
        let cluster = self.etcd.servers[n].data.as_ref().map(|d| d.cluster);
        let node = &mut self.nodes[n];
        node.disk.started_in_vain = false;
        (node.k3s.joining, node.k3s.credentials, node.k3s.kubeconfig) = (None, true, cluster);
    }

    pub(super) fn tick_process(&mut self, n: usize) {
        self.look_for_tombstone(n);
        let node = &self.nodes[n];
        if !node.powered || node.is_frozen() {
            return;
        }
        if node.k3s.restart_at.is_some_and(|at| at <= self.now) {
            self.nodes[n].k3s.restart_at = None;
            if !self.process_runs(n) {
                self.meddle(n);
            }
        }
        if self.nodes[n].k3s.joining.as_ref().is_some_and(|j| j.next <= self.now) {
            self.go_on_joining(n);
        }
    }

    fn look_for_tombstone(&mut self, n: usize) {
        let server = &self.etcd.servers[n];
        let removed = server.run.is_none() && server.data.is_some() && server.last_exit == Some(REMOVED);
        if removed && !self.nodes[n].k3s.tombstone {
            self.tell(n, || "its k3s ends, as its member was removed".into());
            let restarts = self.rng.chance(MEDDLED).then(|| self.now + Duration::from_millis(self.rng.between(500, 6000)));
            let unit = &mut self.nodes[n].k3s;
            (unit.tombstone, unit.started, unit.restart_at) = (true, None, restarts);
        }
    }

    fn go_on_joining(&mut self, n: usize) {
        let Some(joining) = self.nodes[n].k3s.joining.clone() else { return };
        let server = self.at_address(joining.server).filter(|h| self.reaches(n, *h) && self.etcd.serves_remote(*h));
        let Some(host) = server else {
            if !joining.contacted {
                self.give_up(n, UNREACHED);
            } else {
                self.try_again(n);
            }
            return;
        };
        self.nodes[n].k3s.credentials = true;
        self.nodes[n].k3s.kubeconfig = self.etcd.servers[host].data.as_ref().map(|d| d.cluster);
        match self.list_for(n, host) {
            Ok(Some(members)) => self.start_learner(n, &members),
            Ok(None) => self.try_again(n),
            Err(why) => self.give_up(n, why),
        }
    }

    fn try_again(&mut self, n: usize) {
        let next = self.now + RETRY;
        if let Some(joining) = &mut self.nodes[n].k3s.joining {
            (joining.contacted, joining.next) = (true, next);
        }
    }

    /// The list to start etcd with, once it has this node's member; nothing yet where another try may help.
    fn list_for(&mut self, n: usize, host: usize) -> Result<Option<Arc<Vec<Member>>>, &'static str> {
        let Ok(membership) = self.etcd.membership(host, &self.network) else { return Ok(None) };
        let (url, name) = (self.etcd.servers[n].peer_url, self.nodes[n].me.instance.clone());
        if membership.members.iter().any(|m| m.name.as_ref() == Some(&name)) {
            return Err(DUPLICATE);
        }
        if membership.members.iter().any(|m| m.name.is_none() && m.peer_url == url) {
            return Ok(Some(Arc::new(membership.members)));
        }
        let lost = self.rng.chance(self.weather.lost_calls);
        let result = if lost { Err(CallError::Timeout) } else { self.etcd.add_learner(host, &url, self.now, &self.network) };
        self.stats.joined += u64::from(result.is_ok());
        match result {
            // The next try finds it, when the others have applied it too: etcd compares the list with what the first of them answers.
            Ok(_) | Err(CallError::Timeout) => Ok(None),
            Err(CallError::Refused(why)) if PASSING.contains(&why) => Ok(None),
            Err(CallError::Refused(why)) => Err(why),
        }
    }

    fn start_learner(&mut self, n: usize, members: &[Member]) {
        let name = |m: &Member| m.name.as_ref().map_or_else(|| m.id.to_string(), ToString::to_string);
        let initial: Vec<_> = members.iter().filter_map(|m| Some((name(m), m.peer_url.url()?))).collect();
        match self.etcd.join(n, &initial, self.now, &self.network) {
            Ok(()) => {
                self.receive_slowly(n);
                self.tell(n, || "its k3s runs etcd as a learner".into());
                self.has_etcd(n);
            }
            Err(why) => self.give_up(n, why),
        }
    }

    fn give_up(&mut self, n: usize, why: &'static str) {
        self.tell(n, || format!("its k3s ends: {why}"));
        let unit = &mut self.nodes[n].k3s;
        (unit.joining, unit.started) = (None, None);
        self.etcd.servers[n].last_exit = Some(why);
    }
}
