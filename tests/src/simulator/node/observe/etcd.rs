//! The etcd cluster, through any member that answers with quorum; and what each member says of itself.

use std::time::Duration;

use quorate_core::ids::EtcdClusterId;
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::{Lock, Member};
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use super::super::readings::{age, failed};
use super::super::{Agent, VERSION};
use super::{age_all, peers};
use crate::simulator::etcd_model::Held;
use crate::simulator::world::World;

impl World {
    pub(super) fn observe_etcd(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        if !self.has_credentials(n) {
            return self.see_nothing(agent, "k3s has not started here yet, and keeps the credentials for etcd");
        }
        match self.etcd.local_list(n) {
            Ok(list) => agent.seen.etcd.local_list = Reading::Fresh((**list).clone(), now),
            Err(_) => failed(&mut agent.seen.etcd.local_list, now, limit, "the local member gives no list"),
        }
        let slow = !self.observe_membership(n, agent);
        self.observe_statuses(n, agent) || slow
    }

    /// What the quorum says, and the lock: through its own member if possible, otherwise through any other.
    fn observe_membership(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        let wanted = agent.memory().kept.record.as_ref().and_then(|r| r.etcd_cluster);
        let mut other_cluster = None;
        for host in self.endpoints(n, agent) {
            match self.ask_quorum(host) {
                Some(cluster) if wanted.is_none_or(|w| w == cluster) => return self.take_word(n, host, agent),
                Some(_) => other_cluster = other_cluster.or(Some(host)),
                None => {}
            }
        }
        if let Some(host) = other_cluster {
            return self.take_word(n, host, agent);
        }
        no_quorum(agent, now, limit, "no member that answers has quorum");
        false
    }

    /// Quorate's own etcd asks for none; a distribution's for those that it makes.
    pub(crate) fn has_credentials(&self, n: usize) -> bool {
        !self.has_servers() || self.nodes[n].k3s.credentials
    }

    fn see_nothing(&self, agent: &mut Agent, why: &'static str) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        no_quorum(agent, now, limit, why);
        failed(&mut agent.seen.etcd.local_list, now, limit, why);
        age_all(&mut agent.seen.etcd.statuses, now, limit);
        false
    }

    fn ask_quorum(&mut self, host: usize) -> Option<EtcdClusterId> {
        if self.misses() {
            return None;
        }
        self.etcd.lock(host, self.now, &self.network).ok()?;
        self.etcd.servers[host].data.as_ref().filter(|d| d.is_voter()).map(|d| d.cluster)
    }

    fn take_word(&mut self, n: usize, host: usize, agent: &mut Agent) -> bool {
        let now = self.now;
        let Ok(membership) = self.etcd.membership(host, &self.network) else { return false };
        agent.seen.etcd.membership = Reading::Fresh(membership, now);
        let lock = match self.etcd.lock(host, now, &self.network) {
            Ok(None) => Lock::Free,
            Ok(Some(held)) if held.holder == self.nodes[n].me.instance => Lock::Mine { remaining: held.until.since(now) },
            Ok(Some(Held { holder, purpose, .. })) => Lock::Other { holder: holder.clone(), purpose: (*purpose).into() },
            Err(_) => return false,
        };
        agent.seen.etcd.lock = Reading::Fresh(lock, now);
        let Ok(pause) = self.etcd.pause(host, &self.network) else { return false };
        agent.seen.etcd.pause = Reading::Fresh(pause, now);
        agent.seen.etcd.version = Reading::Fresh(VERSION, now);
        true
    }

    /// Servers whose client port this node can call, by addresses that it knows: its own first, but a leaver's last, because the others
    /// must confirm its leave.
    fn endpoints(&self, n: usize, agent: &Agent) -> Vec<usize> {
        let mut hosts = Vec::with_capacity(8);
        if self.etcd.serves(n) {
            hosts.push(n);
        }
        let known = peers::addresses(agent);
        let listed = agent.seen.etcd.membership.last().map(|m| m.members.as_slice()).unwrap_or_default();
        for host in 0..self.nodes.len() {
            let server = &self.etcd.servers[host];
            let is_known = || {
                known.iter().any(|(_, address)| *address == server.address)
                    || listed.iter().any(|m| m.client_url == Some(server.client_url))
            };
            if host != n && self.etcd.serves_remote(host) && self.reaches(n, host) && is_known() {
                hosts.push(host);
            }
        }
        if agent.memory().leaving.is_some() && hosts.first() == Some(&n) {
            hosts.rotate_left(1);
        }
        hosts
    }

    fn observe_statuses(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        age(&mut agent.seen.etcd.membership, now, limit);
        let listed: Vec<(EtcdClusterId, Member)> = match (&agent.seen.etcd.membership, agent.seen.etcd.local_list.last()) {
            (Reading::Fresh(m, _), _) => m.members.iter().map(|member| (m.cluster, member.clone())).collect(),
            (_, Some(list)) => {
                let Some(data) = &self.etcd.servers[n].data else { return false };
                list.iter().map(|member| (data.cluster, member.clone())).collect()
            }
            (Reading::Stale(m, _), None) => m.members.iter().map(|member| (m.cluster, member.clone())).collect(),
            (Reading::Unknown(_), None) => Vec::new(),
        };
        age_all(&mut agent.seen.etcd.statuses, now, limit);
        agent.seen.etcd.statuses.retain(|id, _| listed.iter().any(|(_, m)| m.id == *id));
        let mut slow = false;
        for (cluster, member) in &listed {
            slow |= !self.ask_status(n, agent, *cluster, member);
        }
        self.own_status(n, agent);
        slow
    }

    fn ask_status(&mut self, n: usize, agent: &mut Agent, cluster: EtcdClusterId, member: &Member) -> bool {
        let missed = self.misses();
        let host = self.etcd.host_of(cluster, member.id).filter(|h| !missed && self.answers_status(n, *h, member.client_url.as_ref()));
        if let Some(status) = host.and_then(|h| self.etcd.status(h)) {
            agent.seen.etcd.statuses.insert(member.id, Reading::Fresh(status, self.now));
            return true;
        }
        agent.seen.etcd.statuses.entry(member.id).or_insert_with(|| Reading::unknown("it does not answer"));
        false
    }

    fn answers_status(&self, n: usize, host: usize, url: Option<&MemberUrl>) -> bool {
        let here = host == n || (self.etcd.serves_remote(host) && self.reaches(n, host));
        here && url.is_none_or(|url| *url == self.etcd.servers[host].client_url)
    }

    /// The node's own member is asked on loopback, listed or not.
    fn own_status(&mut self, n: usize, agent: &mut Agent) {
        if let Some(status) = self.etcd.status(n) {
            agent.seen.etcd.statuses.insert(status.member, Reading::Fresh(status, self.now));
        }
    }
}

fn no_quorum(agent: &mut Agent, now: Timestamp, limit: Duration, why: &'static str) {
    failed(&mut agent.seen.etcd.membership, now, limit, why);
    failed(&mut agent.seen.etcd.lock, now, limit, why);
    failed(&mut agent.seen.etcd.pause, now, limit, why);
    failed(&mut agent.seen.etcd.version, now, limit, why);
}
