//! What etcd answers to clients.

use std::sync::Arc;

use quorate_core::ids::MemberId;
use quorate_core::observation::{Member, MemberStatus, Membership};
use quorate_core::time::Timestamp;

use crate::simulator::node::VERSION;

use super::{CallError, Change, Etcd, HEALTH_INTERVAL, Host, Links};

const FOR_LEARNER: CallError = CallError::Refused("etcdserver: rpc not supported for learner");

impl Etcd {
    /// Whether the client port of `host` answers: it has published, and is not frozen.
    pub(crate) fn serves(&self, host: Host) -> bool {
        self.servers[host].live().is_some_and(|(_, run)| run.ready)
    }

    /// Whether it answers machines other than its own.
    pub(crate) fn serves_remote(&self, host: Host) -> bool {
        self.servers[host].live().is_some_and(|(_, run)| run.ready && !run.loopback_only)
    }

    /// `Status`: what each member says of itself, with or without quorum.
    pub(crate) fn status(&self, host: Host) -> Option<MemberStatus> {
        let (data, run) = self.servers[host].live().filter(|(_, run)| run.ready)?;
        Some(MemberStatus {
            member: data.member,
            cluster: data.cluster,
            leader: run.leader,
            learner: !data.is_voter(),
            term: data.term,
            index: data.log.len() as u64,
            applied: data.applied as u64,
            revision: Some(data.revision()),
            version: Some(VERSION),
            alarms: Vec::new(),
        })
    }

    /// The list that the member has applied, with or without quorum. A learner refuses.
    pub(crate) fn local_list(&self, host: Host) -> Result<&Arc<Vec<Member>>, CallError> {
        let (data, _) = self.servers[host].live().filter(|(_, run)| run.ready).ok_or(CallError::Timeout)?;
        if data.is_voter() { Ok(&data.members) } else { Err(FOR_LEARNER) }
    }

    /// A linearizable read, then the list.
    ///
    /// # Errors
    /// No quorum, or the member is a learner.
    pub(crate) fn membership(&mut self, host: Host, links: &impl Links) -> Result<Membership, CallError> {
        let (data, _) = self.servers[host].live().filter(|(_, run)| run.ready).ok_or(CallError::Timeout)?;
        if !data.is_voter() {
            return Err(FOR_LEARNER);
        }
        let leader = self.leader_near(host, links).filter(|l| self.has_quorum(*l, links)).ok_or(CallError::Timeout)?;
        self.catch_up_to_leader(host, leader);
        let (data, run) = self.servers[host].live().ok_or(CallError::Timeout)?;
        Ok(Membership { cluster: data.cluster, leader: run.leader, via: data.member, members: (*data.members).clone() })
    }

    /// A read index makes the member apply up to the leader's commit before it answers.
    fn catch_up_to_leader(&mut self, host: Host, leader: Host) {
        let Some(theirs) = self.servers[leader].data.as_ref().filter(|_| leader != host) else { return };
        let (commit, shared) = (theirs.commit, self.servers[host].data.as_ref().map_or(0, |d| d.matches(theirs)));
        if let Some(data) = self.servers[host].data.as_mut() {
            data.commit = data.commit.max(commit.min(shared));
            data.apply();
        }
    }

    /// A client's write through `host`.
    ///
    /// # Errors
    /// No quorum: the write may be kept anyway.
    pub(crate) fn put(&mut self, host: Host, number: u32, now: Timestamp, links: &impl Links) -> Result<Host, CallError> {
        let (data, _) = self.servers[host].live().filter(|(_, run)| run.ready).ok_or(CallError::Timeout)?;
        if !data.is_voter() {
            return Err(FOR_LEARNER);
        }
        let leader = self.leader_near(host, links).ok_or(CallError::Timeout)?;
        self.propose(host, Change::Put(number), now, links)?;
        Ok(leader)
    }

    /// Whether this member holds every write acknowledged until a moment ago: it has applied an entry of the term of a leader with quorum, and so all
    /// from before, and has followed that leader for a while, or is it.
    pub(crate) fn is_level(&self, host: Host, now: Timestamp, links: &impl Links) -> bool {
        let Some(leader) = self.leader_near(host, links).filter(|l| self.has_quorum(*l, links)) else { return false };
        let (Some((own, _)), Some((theirs, _))) = (self.servers[host].live(), self.servers[leader].live()) else { return false };
        let of_this_term = own.log[..own.applied].last().is_some_and(|e| e.term == theirs.term);
        let follows = |since: Timestamp| now.since(since) >= HEALTH_INTERVAL;
        of_this_term && (leader == host || self.connected_since(leader, host).is_some_and(follows))
    }

    /// Hosts that lead a cluster with quorum, as it is now.
    pub(crate) fn quorate_leaders<'a>(&'a self, links: &'a impl Links) -> impl Iterator<Item = Host> + 'a {
        (0..self.servers.len()).filter(|h| self.has_quorum(*h, links))
    }

    /// The member id on this host's disk.
    pub(crate) fn member_id(&self, host: Host) -> Option<MemberId> {
        self.servers[host].data.as_ref().map(|d| d.member)
    }
}
