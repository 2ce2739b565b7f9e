//! Membership changes, with the refusals of strict-reconfig-check. Health is judged by the member that receives the call.

use std::sync::Arc;

use quorate_core::ids::MemberId;
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::{Member, PeerUrl};
use quorate_core::quorum;
use quorate_core::time::Timestamp;

use super::super::rng::hash;
use super::{CallError, Change, Data, Etcd, HEALTH_INTERVAL, Host, Links};

const NOT_STARTED: CallError = CallError::Refused("etcdserver: re-configuration failed due to not enough started members");
const UNHEALTHY: CallError = CallError::Refused("etcdserver: unhealthy cluster");
const NOT_FOUND: CallError = CallError::Refused("etcdserver: member not found");
const URL_EXISTS: CallError = CallError::Refused("etcdserver: Peer URLs already exists");
const TOO_MANY_LEARNERS: CallError = CallError::Refused("etcdserver: too many learner members in cluster");
const NOT_LEARNER: CallError = CallError::Refused("etcdserver: can only promote a learner member");
const NOT_IN_SYNC: CallError = CallError::Refused("etcdserver: can only promote a learner member which is in sync with leader");
const NOT_LEADER: CallError = CallError::Refused("etcdserver: not leader");
const BAD_TRANSFEREE: CallError = CallError::Refused("etcdserver: bad leader transferee");

/// How many voters must be connected before a member is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// All of them: 3.4, 3.5 to 3.5.29, 3.6 to 3.6.10.
    EveryVoter,
    /// A quorum of one more: 3.5.30, 3.6.11, 3.7 and later.
    QuorumOfMore,
}

impl Etcd {
    /// MemberAdd of `host` as a learner, received by `at`. Answers the new list.
    ///
    /// # Errors
    /// etcd's refusal, or no answer.
    pub(crate) fn add_learner(
        &mut self,
        at: Host,
        peer_url: &MemberUrl,
        now: Timestamp,
        links: &impl Links,
    ) -> Result<Arc<Vec<Member>>, CallError> {
        self.reconnect(now, links);
        let (data, _) = self.servers[at].live().ok_or(CallError::Timeout)?;
        let voters = data.voters().count();
        let healthy = self.healthy_voters(at, now);
        let enough = match self.rule {
            Rule::EveryVoter => healthy == voters,
            Rule::QuorumOfMore => voters == 1 || healthy > voters.div_ceil(2),
        };
        if !enough {
            return Err(UNHEALTHY);
        }
        let list = self.leaders_list(at, links)?;
        if list.iter().any(|m| m.peer_url == *peer_url) {
            return Err(URL_EXISTS);
        }
        if list.iter().any(|m| m.learner) {
            return Err(TOO_MANY_LEARNERS);
        }
        self.added += 1;
        let id = MemberId(hash(&peer_url.to_string(), self.added.wrapping_mul(1_000_003) ^ now.0));
        let member = Member { id, name: None, peer_url: PeerUrl::At(*peer_url), client_url: None, learner: true };
        self.propose(at, Change::Add(Arc::new(member)), now, links)?;
        self.leaders_list(at, links)
    }

    /// MemberAdd of a voter by hand, at an address where nothing runs.
    ///
    /// # Errors
    /// etcd's refusal, or no answer.
    pub(crate) fn add_by_hand(&mut self, at: Host, peer_url: MemberUrl, now: Timestamp, links: &impl Links) -> Result<MemberId, CallError> {
        self.reconnect(now, links);
        let voters = self.servers[at].live().ok_or(CallError::Timeout)?.0.voters().count();
        if self.healthy_voters(at, now) < voters {
            return Err(UNHEALTHY);
        }
        self.added += 1;
        let id = MemberId(hash(&peer_url.to_string(), self.added.wrapping_mul(1_000_003) ^ now.0));
        let member = Member { id, name: None, peer_url: PeerUrl::At(peer_url), client_url: None, learner: false };
        self.propose(at, Change::Add(Arc::new(member)), now, links).map(|()| id)
    }

    /// MemberRemove, received by `at`.
    ///
    /// # Errors
    /// etcd's refusal, or no answer.
    pub(crate) fn remove(&mut self, at: Host, member: MemberId, now: Timestamp, links: &impl Links) -> Result<(), CallError> {
        self.reconnect(now, links);
        let (data, _) = self.servers[at].live().ok_or(CallError::Timeout)?;
        if !data.entry(member).is_some_and(|m| m.learner) {
            self.may_remove_voter(at, data, member, now, links)?;
        }
        let list = self.leaders_list(at, links)?;
        if !list.iter().any(|m| m.id == member) {
            return Err(NOT_FOUND);
        }
        self.propose(at, Change::Remove(member), now, links)
    }

    fn may_remove_voter(&self, at: Host, data: &Data, member: MemberId, now: Timestamp, links: &impl Links) -> Result<(), CallError> {
        let others = || data.voters().filter(|m| m.id != member);
        if others().filter(|m| m.name.is_some()).count() < quorum::quorum(others().count()) {
            return Err(NOT_STARTED);
        }
        let active = data.entry(member).and_then(|m| self.peer(at, m, links)).is_some();
        if member != data.member && !active {
            return Ok(());
        }
        let needed = 1 + (data.voters().count().max(1) - 1) / 2;
        if self.healthy_voters(at, now) < needed + 1 { Err(UNHEALTHY) } else { Ok(()) }
    }

    /// MemberPromote, received by `at` and forwarded to the leader: only the leader knows the learner's progress.
    ///
    /// # Errors
    /// etcd's refusal, or no answer.
    pub(crate) fn promote(&mut self, at: Host, member: MemberId, now: Timestamp, links: &impl Links) -> Result<(), CallError> {
        self.reconnect(now, links);
        let leader = self.leader_near(at, links).ok_or(CallError::Timeout)?;
        let (data, _) = self.servers[leader].live().ok_or(CallError::Timeout)?;
        let entry = data.entry(member).ok_or(NOT_FOUND)?;
        if !entry.learner {
            return Err(NOT_LEARNER);
        }
        let progress = self.peer(leader, entry, links).and_then(|p| self.servers[p].data.as_ref()).map_or(0, |d| d.matches(data));
        if entry.name.is_none() || progress * 10 < data.log.len() * 9 {
            return Err(NOT_IN_SYNC);
        }
        let started = 1 + data.voters().filter(|m| m.name.is_some()).count();
        if started < quorum::quorum(1 + data.voters().count()) {
            return Err(NOT_STARTED);
        }
        self.propose(leader, Change::Promote(member), now, links)
    }

    /// MoveLeader, which must reach the leader itself.
    ///
    /// # Errors
    /// etcd's refusal, or no answer.
    pub(crate) fn move_leader(&mut self, at: Host, to: MemberId, links: &impl Links) -> Result<(), CallError> {
        if !self.leads(at) {
            return Err(NOT_LEADER);
        }
        let (data, _) = self.servers[at].live().ok_or(CallError::Timeout)?;
        let entry = data.entry(to).filter(|m| !m.learner && m.id != data.member).ok_or(BAD_TRANSFEREE)?;
        let next = self.peer(at, entry, links).ok_or(CallError::Timeout)?;
        if self.servers[next].data.as_ref().is_none_or(|d| d.position() != data.position()) {
            return Err(CallError::Timeout);
        }
        let term = data.term + 1;
        if let Some(run) = self.servers[at].run.as_mut() {
            run.leads = false;
        }
        self.win(next, term, links);
        Ok(())
    }

    /// Voters that `at` has been connected to for the health interval, itself included.
    fn healthy_voters(&self, at: Host, now: Timestamp) -> usize {
        let Some((data, _)) = self.servers[at].live() else { return 0 };
        let long = |host: Host| self.connected_since(at, host).is_some_and(|since| now.since(since) >= HEALTH_INTERVAL);
        data.voters().filter(|m| m.id == data.member || self.host_of(data.cluster, m.id).is_some_and(long)).count()
    }

    /// The list as the leader that `at` follows has applied it: what a proposal is validated against.
    fn leaders_list(&self, at: Host, links: &impl Links) -> Result<Arc<Vec<Member>>, CallError> {
        let leader = self.leader_near(at, links).filter(|l| self.has_quorum(*l, links)).ok_or(CallError::Timeout)?;
        self.servers[leader].data.as_ref().map(|d| Arc::clone(&d.members)).ok_or(CallError::Timeout)
    }
}
