//! Time passes: leaders replicate, commit and step down, others elect, new processes publish themselves, removed ones end.

use std::time::Duration;

use quorate_core::ids::MemberId;
use quorate_core::quorum;
use quorate_core::time::Timestamp;

use super::{AFTER_REMOVAL, CallError, Change, ELECTION_TIMEOUT, Entry, Etcd, Host, Links, REMOVED, Run};

impl Etcd {
    /// One beat of all clusters. What a leader committed reaches the others here, so it can die before they know.
    pub(crate) fn tick(&mut self, now: Timestamp, links: &impl Links) {
        self.reconnect(now, links);
        for server in &mut self.servers {
            server.receives = server.receives.filter(|(_, until)| now < *until && server.run.is_some());
        }
        for host in 0..self.servers.len() {
            self.end_removed(host, now, links);
            if self.leads(host) {
                self.lead(host, now, links);
            }
        }
        for host in 0..self.servers.len() {
            self.follow_or_stand(host, now, links);
        }
        for host in 0..self.servers.len() {
            self.publish(host, now, links);
        }
    }

    pub(super) fn leads(&self, host: Host) -> bool {
        self.servers[host].live().is_some_and(|(_, run)| run.leads)
    }

    /// A member that a peer knows to be removed, or that applied its own removal, exits cleanly a second later.
    fn end_removed(&mut self, host: Host, now: Timestamp, links: &impl Links) {
        let Some((data, run)) = self.servers[host].live() else { return };
        let told = run.doomed.is_none() && self.told_removed(host, links);
        let own = data.removed.contains(&data.member);
        let doomed = run.doomed;
        if let Some(run) = self.servers[host].run.as_mut() {
            match doomed {
                None if told || own => run.doomed = Some(now + AFTER_REMOVAL),
                Some(at) if at <= now => self.exit(host, REMOVED),
                _ => {}
            }
        }
    }

    fn told_removed(&self, host: Host, links: &impl Links) -> bool {
        let Some((data, _)) = self.servers[host].live() else { return false };
        self.live_hosts().any(|other| {
            self.connected_since(host, other).is_some()
                && links.both(host, other)
                && self.servers[other].data.as_ref().is_some_and(|d| d.cluster == data.cluster && d.removed.contains(&data.member))
        })
    }

    fn lead(&mut self, host: Host, now: Timestamp, links: &impl Links) {
        if self.newer_term_near(host, links) {
            return self.step_down(host, now);
        }
        if self.has_quorum(host, links) {
            self.quiet(host, None);
        } else if self.quiet_for(host, now) >= Duration::from_millis(ELECTION_TIMEOUT) {
            return self.step_down(host, now);
        }
        self.replicate(host, links, self.catch_up);
        self.advance(host);
        self.tell_commit(host, links);
    }

    /// Whether the leader on `host` can commit: enough voters of its list are connected and none of them has moved on.
    pub(crate) fn has_quorum(&self, host: Host, links: &impl Links) -> bool {
        let Some((data, run)) = self.servers[host].live() else { return false };
        run.leads && quorum::has_quorum(data.voters().count(), self.connected_voters(host, links)) && !self.newer_term_near(host, links)
    }

    fn newer_term_near(&self, host: Host, links: &impl Links) -> bool {
        let Some((data, _)) = self.servers[host].live() else { return false };
        data.voters()
            .any(|m| self.peer(host, m, links).and_then(|p| self.servers[p].data.as_ref()).is_some_and(|other| other.term > data.term))
    }

    fn step_down(&mut self, host: Host, now: Timestamp) {
        if let Some((_, run)) = self.servers[host].live_mut() {
            run.leads = false;
            run.leader = None;
            run.quiet_since = Some(now);
        }
    }

    fn quiet(&mut self, host: Host, since: Option<Timestamp>) {
        if let Some((_, run)) = self.servers[host].live_mut() {
            run.quiet_since = since;
        }
    }

    fn quiet_for(&mut self, host: Host, now: Timestamp) -> Duration {
        let Some((_, run)) = self.servers[host].live_mut() else { return Duration::ZERO };
        now.since(*run.quiet_since.get_or_insert(now))
    }

    /// Sends the log to every connected member, at most `limit` entries to each.
    fn replicate(&mut self, host: Host, links: &impl Links, limit: usize) {
        for (peer, _) in self.peers(host, links) {
            let limit = if self.servers[peer].receives.is_some() { 0 } else { limit };
            let Some((leader, follower)) = self.two(host, peer) else { continue };
            follower.term = leader.term;
            follower.follow(leader, limit);
            let leader = leader.member;
            if let Some((_, run)) = self.servers[peer].live_mut() {
                run.leads = false;
                run.leader = Some(leader);
                run.quiet_since = None;
            }
        }
    }

    /// Live members of the leader's list that it reaches, with their ids; none with a newer term.
    fn peers(&self, host: Host, links: &impl Links) -> Vec<(Host, MemberId)> {
        let Some((data, _)) = self.servers[host].live() else { return Vec::new() };
        let known = data.members.iter().filter(|m| m.id != data.member).filter_map(|m| Some((self.peer(host, m, links)?, m.id)));
        known.filter(|(p, _)| self.servers[*p].data.as_ref().is_some_and(|d| d.term <= data.term)).collect()
    }

    /// The data of two different hosts at once: the first to read, the second to change.
    fn two(&mut self, a: Host, b: Host) -> Option<(&super::Data, &mut super::Data)> {
        if a == b {
            return None;
        }
        let (low, high) = self.servers.split_at_mut(a.max(b));
        let (low, high) = (&mut low[a.min(b)], &mut high[0]);
        if a < b { Some((low.data.as_ref()?, high.data.as_mut()?)) } else { Some((high.data.as_ref()?, low.data.as_mut()?)) }
    }

    /// Commits what a quorum of the leader's voters holds, if it is of the leader's own term, and applies it there.
    fn advance(&mut self, host: Host) {
        let Some((data, _)) = self.servers[host].live() else { return };
        let mut held: Vec<usize> =
            data.voters().map(|m| if m.id == data.member { data.log.len() } else { self.held(host, m.id) }).collect();
        held.sort_unstable_by(|a, b| b.cmp(a));
        let Some(index) = held.get(quorum::quorum(held.len()) - 1).copied() else { return };
        let own_term = index > 0 && data.log[index - 1].term == data.term;
        if let Some((data, _)) = self.servers[host].live_mut().filter(|_| own_term) {
            data.commit = data.commit.max(index);
            data.apply();
        }
    }

    /// How much of the leader's log that member has acknowledged.
    fn held(&self, leader: Host, member: MemberId) -> usize {
        let Some(data) = &self.servers[leader].data else { return 0 };
        let Some(peer) = self.host_of(data.cluster, member) else { return 0 };
        if self.connected_since(leader, peer).is_none() {
            return 0;
        }
        self.servers[peer].data.as_ref().map_or(0, |d| d.matches(data))
    }

    fn tell_commit(&mut self, host: Host, links: &impl Links) {
        for (peer, _) in self.peers(host, links) {
            let Some((leader, follower)) = self.two(host, peer) else { continue };
            follower.commit = follower.commit.max(leader.commit.min(follower.matches(leader)));
            follower.apply();
        }
    }

    fn follow_or_stand(&mut self, host: Host, now: Timestamp, links: &impl Links) {
        let Some((data, run)) = self.servers[host].live() else { return };
        if run.leads {
            return;
        }
        let voter = data.is_voter();
        if self.leader_near(host, links).is_some() {
            return self.quiet(host, None);
        }
        if let Some((_, run)) = self.servers[host].live_mut() {
            run.leader = None;
        }
        let patience = self.servers[host].run.as_ref().map_or(Duration::ZERO, |r| r.patience);
        if self.quiet_for(host, now) >= patience && voter {
            self.stand(host, now, links);
        }
    }

    /// The live leader that `host` follows, if it is still connected and leads in the same term.
    pub(crate) fn leader_near(&self, host: Host, links: &impl Links) -> Option<Host> {
        let (data, run) = self.servers[host].live()?;
        if run.leads {
            return Some(host);
        }
        let leader = self.host_of(data.cluster, run.leader?)?;
        let (theirs, _) = self.servers[leader].live().filter(|(_, r)| r.leads)?;
        (theirs.term == data.term && links.both(host, leader)).then_some(leader)
    }

    /// Stands for election: voters that see a live leader, or are ahead, refuse.
    fn stand(&mut self, host: Host, now: Timestamp, links: &impl Links) {
        let patience = Duration::from_millis(self.rng.between(ELECTION_TIMEOUT, 2 * ELECTION_TIMEOUT));
        if let Some((_, run)) = self.servers[host].live_mut() {
            run.patience = patience;
            run.quiet_since = Some(now);
        }
        let Some((data, _)) = self.servers[host].live() else { return };
        let voters: Vec<Host> = data.voters().filter_map(|m| self.peer(host, m, links)).collect();
        let willing = voters.iter().filter(|v| self.would_vote(**v, host, links)).count() + 1;
        if quorum::has_quorum(data.voters().count(), willing) {
            let term = voters.iter().filter_map(|v| self.servers[*v].data.as_ref()).map(|d| d.term).max().unwrap_or(0).max(data.term) + 1;
            self.win(host, term, links);
        }
    }

    fn would_vote(&self, voter: Host, candidate: Host, links: &impl Links) -> bool {
        let (Some((theirs, _)), Some((data, _))) = (self.servers[voter].live(), self.servers[candidate].live()) else { return false };
        self.leader_near(voter, links).is_none() && theirs.position() <= data.position()
    }

    /// Makes `host` the leader of `term` and lets it replicate its first entry.
    pub(super) fn win(&mut self, host: Host, term: u64, links: &impl Links) {
        let Some((data, run)) = self.servers[host].live_mut() else { return };
        data.term = term;
        data.log.push(Entry { term, change: Change::Nothing });
        run.leads = true;
        run.leader = Some(data.member);
        run.quiet_since = None;
        let cluster = data.cluster;
        self.replicate(host, links, 1);
        self.advance(host);
        self.extend_lock(cluster);
    }

    fn publish(&mut self, host: Host, now: Timestamp, links: &impl Links) {
        if self.servers[host].receives.is_some() {
            return;
        }
        let Some((data, Run { ready: false, .. })) = self.servers[host].live() else { return };
        let change = Change::Publish(data.member, self.servers[host].name.clone(), self.servers[host].client_url);
        let listed = self.leader_near(host, links).and_then(|l| self.servers[l].data.as_ref()?.entry(data.member)).is_some();
        if !listed || self.propose(host, change, now, links).is_err() {
            return;
        }
        if let Some((_, run)) = self.servers[host].live_mut() {
            run.ready = true;
        }
    }

    /// Proposes a change through `host`. It is committed at once if a quorum is connected; otherwise it may still be committed later.
    pub(super) fn propose(&mut self, host: Host, change: Change, now: Timestamp, links: &impl Links) -> Result<(), CallError> {
        let leader = self.leader_near(host, links).ok_or(CallError::Timeout)?;
        self.reconnect(now, links);
        let Some((data, _)) = self.servers[leader].live_mut() else { return Err(CallError::Timeout) };
        if change.is_membership() && data.membership_pending() {
            return Err(CallError::Timeout);
        }
        let term = data.term;
        data.log.push(Entry { term, change });
        let index = data.log.len();
        self.send_last(leader, links);
        self.advance(leader);
        let committed = self.servers[leader].data.as_ref().is_some_and(|d| d.commit >= index);
        if committed { Ok(()) } else { Err(CallError::Timeout) }
    }

    /// Sends the newest entry to those that have all the rest; the others get theirs with the next beat.
    fn send_last(&mut self, leader: Host, links: &impl Links) {
        for (peer, _) in self.peers(leader, links) {
            let Some((data, follower)) = self.two(leader, peer) else { continue };
            if follower.term == data.term && follower.matches(data) + 1 == data.log.len() {
                follower.follow(data, 1);
            }
        }
    }
}
