//! Starting, stopping and restoring one host's etcd.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::ids::{EtcdClusterId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::{Member, PeerUrl};
use quorate_core::time::Timestamp;

use super::super::bits::Bits;
use super::super::rng::hash;
use super::{Data, ELECTION_TIMEOUT, Etcd, Host, Links, Run};

/// Why a start ended at once, in etcd's words.
pub(crate) type StartFailure = &'static str;

impl Etcd {
    /// Starts the only member of a new cluster. Ids depend on token and peer URL alone, as etcd's do.
    pub(crate) fn found(&mut self, host: Host, token: &str, loopback_only: bool, now: Timestamp) {
        let first = self.first_member(host, token);
        self.servers[host].data = Some(first);
        self.run(host, loopback_only, now);
    }

    /// Replaces the data by a new one-member cluster that holds what is applied in it; the log's tail is lost. Returns the old data.
    pub(crate) fn restore(&mut self, host: Host, token: &str) -> Option<Data> {
        let old = self.servers[host].data.take()?;
        let mut new = self.first_member(host, token);
        new.base = Arc::new(old.writes.clone());
        new.writes = old.writes.clone();
        if let Some(lock) = self.locks.get(&old.cluster).cloned() {
            self.locks.insert(new.cluster, lock);
        }
        if let Some(pause) = self.pauses.get(&old.cluster).cloned() {
            self.pauses.insert(new.cluster, pause);
        }
        self.servers[host].data = Some(new);
        Some(old)
    }

    /// Makes a new one-member cluster of a snapshot's data, on an empty disk.
    pub(crate) fn restore_from(&mut self, host: Host, token: &str, snapshot: &Data) {
        let mut new = self.first_member(host, token);
        new.base = Arc::new(snapshot.writes.clone());
        new.writes = snapshot.writes.clone();
        self.servers[host].data = Some(new);
    }

    fn first_member(&self, host: Host, token: &str) -> Data {
        let server = &self.servers[host];
        let cluster = EtcdClusterId(hash(&server.peer_url.to_string(), hash(token, 1)));
        let id = MemberId(hash(&server.peer_url.to_string(), hash(token, 2)));
        let name = Some(server.name.clone());
        Data::first(cluster, Member { id, name, peer_url: PeerUrl::At(server.peer_url), client_url: None, learner: false }, Bits::default())
    }

    /// Starts a member that was added: asks the others for their list, which must equal the given one.
    ///
    /// # Errors
    /// What etcd prints before it exits.
    pub(crate) fn join(
        &mut self,
        host: Host,
        initial: &[(String, MemberUrl)],
        now: Timestamp,
        links: &impl Links,
    ) -> Result<(), StartFailure> {
        let fetched = self.fetch_list(host, initial, links);
        let result = fetched.and_then(|(cluster, members)| {
            same_list(&members, initial)?;
            let own = members.iter().find(|m| m.peer_url == self.servers[host].peer_url);
            let id = own.map(|m| m.id).ok_or("couldn't find local name in the initial cluster configuration")?;
            Ok(Data::joining(cluster, id, members))
        });
        match result {
            Ok(data) => {
                self.servers[host].data = Some(data);
                self.run(host, false, now);
                Ok(())
            }
            Err(why) => {
                self.servers[host].last_exit = Some(why);
                Err(why)
            }
        }
    }

    /// The first answer to `GET /members` on the peer ports; served without quorum, from what that member has applied.
    fn fetch_list(
        &self,
        host: Host,
        initial: &[(String, MemberUrl)],
        links: &impl Links,
    ) -> Result<(EtcdClusterId, Arc<Vec<Member>>), StartFailure> {
        let others = initial.iter().filter(|(_, url)| *url != self.servers[host].peer_url);
        let mut answers = others.filter_map(|(_, url)| {
            let other = self.live_hosts().find(|h| *h != host && self.servers[*h].peer_url == *url)?;
            let (data, _) = self.servers[other].live()?;
            links.both(host, other).then(|| (data.cluster, Arc::clone(&data.members)))
        });
        answers.next().ok_or("cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs")
    }

    /// Starts on the existing data.
    ///
    /// # Errors
    /// There is no log to resume, or the member was removed, as its own log says.
    pub(crate) fn resume(&mut self, host: Host, loopback_only: bool, now: Timestamp) -> Result<(), StartFailure> {
        if self.servers[host].data.is_none() {
            return Err("no write-ahead log");
        }
        self.run(host, loopback_only, now);
        Ok(())
    }

    fn run(&mut self, host: Host, loopback_only: bool, now: Timestamp) {
        let patience = Duration::from_millis(self.rng.between(ELECTION_TIMEOUT, 2 * ELECTION_TIMEOUT));
        self.disconnect(host);
        self.servers[host].last_exit = None;
        self.servers[host].run = Some(Run {
            since: now,
            loopback_only,
            ready: false,
            leads: false,
            leader: None,
            quiet_since: Some(now),
            doomed: None,
            patience,
        });
    }

    /// SIGTERM: hands leadership over if it can, then ends.
    pub(crate) fn stop(&mut self, host: Host, links: &impl Links) {
        if self.leads(host) && !self.servers[host].frozen {
            self.hand_over(host, links);
        }
        self.exit(host, "stopped");
    }

    /// SIGKILL, or the power is gone. What was written is on the disk.
    pub(crate) fn kill(&mut self, host: Host) {
        self.exit(host, "killed");
    }

    pub(super) fn exit(&mut self, host: Host, how: &'static str) {
        if self.servers[host].run.take().is_some() {
            self.servers[host].last_exit = Some(how);
        }
        self.disconnect(host);
    }

    /// Hands leadership to the voter connected longest, if one has the whole log.
    fn hand_over(&mut self, host: Host, links: &impl Links) {
        let Some((data, _)) = self.servers[host].live() else { return };
        let voters = data.voters().filter(|m| m.id != data.member).filter_map(|m| self.peer(host, m, links));
        let ready = voters.filter(|v| self.servers[*v].data.as_ref().is_some_and(|d| d.position() == data.position()));
        let Some(next) = ready.min_by_key(|v| (self.connected_since(host, *v), *v)) else { return };
        let term = data.term + 1;
        if let Some(run) = self.servers[host].run.as_mut() {
            run.leads = false;
        }
        self.win(next, term, links);
    }
}

/// etcd's ValidateClusterAndAssignIDs: as many entries on both sides, and each peer URL known.
fn same_list(members: &[Member], initial: &[(String, MemberUrl)]) -> Result<(), StartFailure> {
    let mut names: Vec<&str> = initial.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() != members.len() || initial.len() != members.len() {
        return Err("error validating peerURLs: member count is unequal");
    }
    let known = |m: &Member| initial.iter().any(|(_, url)| m.peer_url == *url);
    if members.iter().all(known) { Ok(()) } else { Err("error validating peerURLs: PeerURLs: no match found for existing member") }
}
