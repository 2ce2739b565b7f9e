//! What an observation means: facts derived once a cycle, for the planner's rules to ask. Decides nothing.

mod charter;
mod departure;
mod snapshots;
mod strangers;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::charter::{ListedVoter, Record, StoreView};
use crate::ids::{Generation, InstanceId, MemberId};
use crate::member_url::MemberUrl;
use crate::memory::{Memory, Order};
use crate::observation::{
    Alarm, DataClaim, DataIdentity, Ec2Answer, Ec2State, Group, LifecycleState, LocalData, Lock, Member, MemberStatus, Membership,
    Observation, PeerAnswer, Process, ScalingProcess, Warmed,
};
use crate::pausing::Pause;
use crate::plan::Via;
use crate::policy::Policy;
use crate::role::Ways;
use crate::time::Timestamp;
use crate::transport::Transport;

pub use charter::Charter;
pub use departure::{Departure, LeaveReason, LeaveReasons};
pub use strangers::Stranger;

/// What proves that an answer is the agent's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The agent that was heard at that instance before, or first.
    Signed,
    /// Whichever process answers there: an agent from before there were keys signs nothing.
    Unsigned,
    /// A process with another key than the agent that was heard there, or with none: perhaps it took the port while that agent restarted.
    UnderAnotherKey,
}

/// One cycle's facts.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// What was seen.
    pub seen: &'a Observation,
    /// What is remembered.
    pub memory: &'a Memory,
    /// What the operator chose.
    pub policy: &'a Policy,
    /// The time.
    pub now: Timestamp,
    /// The charter.
    pub charter: Charter<'a>,
}

impl<'a> Situation<'a> {
    /// Derives the facts.
    #[must_use]
    pub fn new(seen: &'a Observation, memory: &'a Memory, policy: &'a Policy, now: Timestamp) -> Self {
        Self { seen, memory, policy, now, charter: charter::charter(seen, memory) }
    }

    /// This instance.
    #[must_use]
    pub fn me(&self) -> &'a InstanceId {
        &self.seen.me.instance
    }

    /// The highest record that may be acted on: the one in the store, never only the remembered one.
    #[must_use]
    pub fn record(&self) -> Option<&'a Record> {
        match &self.charter {
            Charter::Known(record) => Some(record),
            Charter::Unreadable(..)
            | Charter::NoStore
            | Charter::Absent
            | Charter::Vanished(_)
            | Charter::Broken(_)
            | Charter::Foreign(_) => None,
        }
    }

    /// The highest record known at all, for explaining and for leaving.
    #[must_use]
    pub fn last_record(&self) -> Option<&'a Record> {
        self.record().or(self.memory.kept.record.as_ref())
    }

    /// How the members of this cluster are reached: as its charter says, or as a new one would be.
    #[must_use]
    pub fn transport(&self) -> Transport {
        let new = if self.ways().runs_etcd { self.policy.transport } else { Transport::Plain };
        self.last_record().map_or(new, |record| record.transport)
    }

    /// The peer URL of this instance's own member.
    #[must_use]
    pub fn own_peer_url(&self) -> MemberUrl {
        self.seen.me.role.peer_url(self.seen.me.address, self.transport())
    }

    /// A store keeps the charter, so no two nodes ever write the same record; false only where it is known that none is configured.
    #[must_use]
    pub fn has_store(&self) -> bool {
        !matches!(self.seen.store.last(), Some(StoreView::NotConfigured))
    }

    /// A quorum's word on the membership, fresh.
    #[must_use]
    pub fn membership(&self) -> Option<&'a Membership> {
        self.seen.etcd.membership.fresh()
    }

    /// This disk's data.
    #[must_use]
    pub fn data(&self) -> Option<&'a DataIdentity> {
        match self.seen.local.data.fresh() {
            Some(LocalData::Present(identity)) => Some(identity),
            Some(LocalData::Empty) | None => None,
        }
    }

    /// The disk was read and holds no member.
    #[must_use]
    pub fn disk_is_empty(&self) -> bool {
        matches!(self.seen.local.data.fresh(), Some(LocalData::Empty))
    }

    /// The generation of this disk's data.
    #[must_use]
    pub fn data_generation(&self) -> Option<Generation> {
        self.data().and_then(|d| d.generation)
    }

    /// etcd runs here, so far as that could be read.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self.seen.local.process.fresh(), Some(Process::Running { .. }))
    }

    /// etcd is known not to run here.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.seen.local.process.fresh(), Some(Process::Stopped { .. }))
    }

    /// How the member's last process ended, while none runs.
    #[must_use]
    pub fn last_exit(&self) -> Option<&'a str> {
        match self.seen.local.process.fresh() {
            Some(Process::Stopped { last_exit }) => last_exit.as_deref(),
            _ => None,
        }
    }

    /// etcd runs here and serves loopback only.
    #[must_use]
    pub fn runs_on_loopback(&self) -> bool {
        matches!(self.seen.local.process.fresh(), Some(Process::Running { loopback_only: true, .. }))
    }

    /// This instance's entries in a member list: by name, by this disk's member id, or by peer URL.
    pub fn own_entries<'m>(&self, members: &'m [Member]) -> impl Iterator<Item = &'m Member> {
        let address = self.seen.me.address;
        let id = self.data().and_then(|d| d.member);
        let me = self.me().clone();
        members.iter().filter(move |m| m.name.as_ref() == Some(&me) || Some(m.id) == id || m.peer_url.is_of(address))
    }

    /// The entry of this disk's own member, by a quorum's word and in this disk's own cluster.
    #[must_use]
    pub fn my_member(&self) -> Option<&'a Member> {
        let membership = self.membership()?;
        let data = self.data()?;
        if data.cluster != Some(membership.cluster) {
            return None;
        }
        membership.get(data.member?)
    }

    /// A member reports this alarm of its cluster.
    #[must_use]
    pub fn has_alarm(&self, alarm: Alarm) -> bool {
        self.seen.etcd.statuses.values().filter_map(|status| status.fresh()).any(|status| status.alarms.contains(&alarm))
    }

    /// What follows from this instance's role.
    #[must_use]
    pub fn ways(&self) -> &'static Ways {
        self.seen.me.role.ways()
    }

    /// This node's member is the leader, by a quorum's word and by its own answer. A leaver gets that word through another member, because
    /// the others must confirm its leave: it still leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        let Some(membership) = self.membership() else { return false };
        let Some(member) = self.my_member() else { return false };
        let says_so = self.status(member.id).is_some_and(|status| status.leader == Some(member.id));
        membership.leader == Some(member.id) && says_so && !member.learner
    }

    /// Another node's member that leads and answers, while the agent beside it does not.
    #[must_use]
    pub fn unattended_leader(&self) -> Option<&'a Member> {
        let membership = self.membership()?;
        let leader = membership.get(membership.leader?).filter(|m| !self.own_entries(std::slice::from_ref(*m)).any(|_| true))?;
        let leads = self.status(leader.id).is_some_and(|status| status.leader == Some(leader.id));
        let heard = self.instance_of(leader).is_some_and(|i| self.peer(&i).is_some());
        (leads && !heard).then_some(leader)
    }

    /// A member's own fresh answer.
    #[must_use]
    pub fn status(&self, member: MemberId) -> Option<&'a MemberStatus> {
        self.seen.etcd.statuses.get(&member).and_then(|s| s.fresh())
    }

    /// The member answers and knows a leader.
    #[must_use]
    pub fn is_healthy(&self, member: MemberId) -> bool {
        self.status(member).is_some_and(|s| s.leader.is_some())
    }

    /// The instance that an entry belongs to: its name, or the instance known at its peer URL.
    #[must_use]
    pub fn instance_of(&self, member: &Member) -> Option<InstanceId> {
        if let Some(name) = &member.name {
            return Some(name.clone());
        }
        let at = |address: Option<IpAddr>| address.is_some_and(|a| member.peer_url.is_of(a));
        if at(Some(self.seen.me.address)) {
            return Some(self.me().clone());
        }
        let live = |id: &&InstanceId| !self.memory.instances.terminated.contains(*id);
        self.memory.kept.seen.iter().filter(|(_, s)| at(s.address)).map(|(id, _)| id).find(live).cloned()
    }

    /// An instance is gone only if EC2 says that it has ended, or has for an hour known nothing of an instance that was known before and that no group
    /// watches.
    #[must_use]
    pub fn is_gone(&self, instance: &InstanceId) -> bool {
        if self.memory.instances.terminated.contains(instance) {
            return true;
        }
        let named = self.last_record().is_some_and(|r| r.named().any(|id| id == instance));
        let once_known = self.memory.kept.seen.contains_key(instance) || named;
        let unknown_for = self.memory.instances.not_found.get(instance).map(|(first, last)| last.since(*first));
        let watched = self.seen.cloud.listed.last().and_then(|l| l.get(instance)).is_some_and(|i| i.state.is_watched());
        once_known && !watched && unknown_for.is_some_and(|d| d >= self.policy.unknown_is_gone_after)
    }

    /// The voter `member` is gone: its instance is gone, or the instance itself says that it no longer holds that member's data.
    #[must_use]
    pub fn member_is_gone(&self, member: &Member) -> bool {
        let Some(instance) = self.instance_of(member) else { return false };
        self.is_gone(&instance) || self.surely_denies_data(&instance, member.id)
    }

    /// The same for a voter as the charter lists it.
    #[must_use]
    pub fn voter_is_gone(&self, voter: &ListedVoter) -> bool {
        self.is_gone(&voter.instance) || self.surely_denies_data(&voter.instance, voter.member)
    }

    /// What proves that the last answer of an instance's agent is its own.
    #[must_use]
    pub fn word_of(&self, instance: &InstanceId) -> Option<Word> {
        let answer = self.peer(instance)?;
        Some(match (self.memory.instances.heard_as.get(instance), answer.signed_by) {
            (Some(before), key) if key != Some(before.key) => Word::UnderAnotherKey,
            (_, Some(_)) => Word::Signed,
            (_, None) => Word::Unsigned,
        })
    }

    /// The last answer of an instance's agent surely came from that instance: by its certificate, or because an operator vouches for the network.
    #[must_use]
    pub fn trusts(&self, instance: &InstanceId) -> bool {
        self.policy.network_trusted || self.peer(instance).is_some_and(|answer| answer.certified)
    }

    /// A decision would rest on the word of an instance that may be another's. Where the agents have certificates a silent one is not asked for its own yet: its
    /// silence is what is awaited.
    #[must_use]
    pub fn rests_on_unproved_answers(&self) -> bool {
        let certified = |id: &InstanceId| self.peer(id).is_some_and(|answer| answer.certified);
        let others = self.others();
        let have_certificates = others.iter().any(certified);
        let is_silent = |id: &InstanceId| have_certificates && self.peer(id).is_none();
        others.iter().any(|id| !self.is_gone(id) && !self.trusts(id) && !is_silent(id))
    }

    /// Its agent says that it no longer holds this member's data, and that word counts even where data can be lost.
    fn surely_denies_data(&self, instance: &InstanceId, member: MemberId) -> bool {
        let signed = self.trusts(instance) && self.word_of(instance) == Some(Word::Signed);
        signed && self.denies_data(instance, member)
    }

    fn denies_data(&self, instance: &InstanceId, member: MemberId) -> bool {
        match self.peer(instance).map(|p| &p.data) {
            Some(DataClaim::None) => true,
            Some(DataClaim::Holds { member: held, .. }) => *held != member,
            Some(DataClaim::Unknown) | None => false,
        }
    }

    /// The instance is gone, or EC2 or its group says that it is leaving and it has been silent for the grace. Enough to prune, never to found or recover.
    #[must_use]
    pub fn is_departed(&self, instance: &InstanceId) -> bool {
        self.is_gone(instance)
            || (self.is_on_its_way_out(instance) && self.memory.silent_for(instance, self.now) >= self.policy.prune_grace)
    }

    /// EC2 or the group says that the instance is leaving.
    #[must_use]
    pub fn is_on_its_way_out(&self, instance: &InstanceId) -> bool {
        let listed = self.seen.cloud.listed.fresh().and_then(|l| l.get(instance)).is_some_and(|i| i.state.is_terminating());
        let going =
            |state: Ec2State| matches!(state, Ec2State::ShuttingDown | Ec2State::Stopping | Ec2State::Stopped | Ec2State::Terminated);
        let asked = self.seen.cloud.asked.get(instance).and_then(|a| a.fresh());
        listed || matches!(asked, Some(Ec2Answer::Known { state, .. }) if going(*state))
    }

    /// EC2, its group or its own agent says that the instance is leaving.
    #[must_use]
    pub fn is_leaving(&self, instance: &InstanceId) -> bool {
        self.is_on_its_way_out(instance) || self.peer(instance).is_some_and(|p| p.leaving)
    }

    /// This instance is in the warm pool, or on its way there.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        matches!(self.seen.target.last(), Some(Some(LifecycleState::Warmed(_))))
    }

    /// A voter's entry whose instance has departed. A server without its data has no credentials to remove its old entry, unlike an instance with
    /// Quorate's own etcd. Its word that it does not hold that member's data is therefore enough.
    #[must_use]
    pub fn departed_voter(&self) -> Option<(&'a Member, InstanceId)> {
        self.departed_voters().next()
    }

    /// All such entries.
    pub(crate) fn departed_voters(&self) -> impl Iterator<Item = (&'a Member, InstanceId)> {
        // What its agent said is older than what its etcd says now. While the others keep a quorum nothing is lost with a voter, so its word counts under any
        // key.
        let message = |i: &InstanceId, m: &Member| self.trusts(i) && self.denies_data(i, m.id);
        let denies = move |m: &Member| {
            let instance = self.instance_of(m).filter(|_| self.ways().is_let_in && self.status(m.id).is_none());
            instance.is_some_and(|i| self.is_gone(&i) || message(&i, m))
        };
        self.membership().into_iter().flat_map(Membership::voters).filter_map(move |m| {
            let instance = self.instance_of(m)?;
            let departed = self.is_departed(&instance) || denies(m);
            (instance != *self.me() && departed).then_some((m, instance))
        })
    }

    /// A peer's fresh answer.
    #[must_use]
    pub fn peer(&self, instance: &InstanceId) -> Option<&'a PeerAnswer> {
        self.seen.peers.get(instance).and_then(|p| p.fresh())
    }

    /// Every other instance that could hold data or a record: those that the charter names, and every instance ever seen and not known to be gone.
    /// Warm instances whose machine is off are left out unless the charter lists them.
    #[must_use]
    pub fn others(&self) -> BTreeSet<InstanceId> {
        let listed = self.last_record().into_iter().flat_map(|r| r.named().cloned());
        let off = |id: &InstanceId| {
            let state = self.seen.cloud.listed.last().and_then(|l| l.get(id)).map(|i| i.state);
            matches!(state, Some(LifecycleState::Warmed(Warmed::Stopped | Warmed::Hibernated)))
        };
        let seen = self.memory.kept.seen.keys().filter(|id| !off(id)).cloned();
        let mut all: BTreeSet<InstanceId> = listed.chain(seen).collect();
        all.remove(self.me());
        all
    }

    /// The lock, fresh.
    #[must_use]
    pub fn lock(&self) -> Option<&'a Lock> {
        self.seen.etcd.lock.fresh()
    }

    /// The lock's lease is this agent's.
    #[must_use]
    pub fn holds_lock(&self) -> bool {
        matches!(self.lock(), Some(Lock::Mine { .. }))
    }

    /// The endpoint of this node's own voter if it is healthy, else another's.
    #[must_use]
    pub fn via_any(&self) -> Option<Via> {
        let own = self.my_member().filter(|m| !m.learner && self.is_healthy(m.id)).and_then(to_via);
        own.or_else(|| self.via_other())
    }

    /// The endpoint of a healthy voter that is not this node's: the leader's, if it is another.
    #[must_use]
    pub fn via_other(&self) -> Option<Via> {
        let membership = self.membership()?;
        let own = self.my_member().map(|m| m.id);
        let usable = |m: &&Member| Some(m.id) != own && m.name.as_ref() != Some(self.me()) && self.is_healthy(m.id);
        let leader = membership.voters().filter(usable).find(|m| membership.leader == Some(m.id));
        let stays = |m: &&Member| self.instance_of(m).is_some_and(|i| !self.is_leaving(&i));
        leader.or_else(|| membership.voters().filter(usable).find(stays)).or_else(|| membership.voters().find(usable)).and_then(to_via)
    }

    /// The address of another voter, if possible a healthy one, where a distribution runs it: the one that `server:` is to name. A voter that leaves or is
    /// gone is better than none, and so is the server that is named already: a server that cannot be reached keeps a restart from founding a cluster.
    #[must_use]
    pub fn another_server(&self) -> Option<IpAddr> {
        if !self.ways().is_let_in {
            return None;
        }
        let voters = self.membership().into_iter().flat_map(Membership::voters);
        let healthy: Vec<_> = voters.filter(|m| self.is_healthy(m.id)).filter_map(|m| self.instance_of(m)).collect();
        let listed = || self.last_record().into_iter().flat_map(|r| r.voters.iter().map(|v| &v.instance));
        let stays = |i: &&InstanceId| !self.is_leaving(i) && !self.is_gone(i);
        let by_worth = healthy.iter().filter(stays).chain(&healthy).chain(listed().filter(stays)).chain(listed());
        let known = by_worth.filter(|i| *i != self.me()).find_map(|i| self.memory.kept.seen.get(i)?.address);
        known.or(self.seen.kubernetes.points_at)
    }

    /// The launch transition is open, by the group's own word.
    #[must_use]
    pub fn launch_is_open(&self) -> bool {
        matches!(self.seen.cloud.own_state.last(), Some(LifecycleState::PendingWait | LifecycleState::Warmed(Warmed::Waiting)))
    }

    /// The termination transition is open, by the group's own word.
    #[must_use]
    pub fn termination_is_open(&self) -> bool {
        let waiting = |state| {
            matches!(
                state,
                LifecycleState::TerminatingWait | LifecycleState::ReplacingRootVolumeWait | LifecycleState::Warmed(Warmed::Waiting)
            )
        };
        self.seen.cloud.own_state.last().copied().is_some_and(waiting)
    }

    /// The pause that holds this node.
    #[must_use]
    pub fn paused(&self) -> Option<&'a Pause> {
        self.memory.kept.pausing.in_force()
    }

    /// An operator's order.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        self.memory.kept.order.clone()
    }

    /// This instance's own group, by the last reading that had it: a view without it does not count.
    #[must_use]
    pub fn own_group(&self) -> Option<&'a Group> {
        self.seen.cloud.groups.last()?.iter().find(|g| g.name == self.seen.me.group)
    }

    /// Those of these processes that are suspended in this instance's own group.
    #[must_use]
    pub fn suspended(&self, among: &[ScalingProcess]) -> Vec<ScalingProcess> {
        let suspended = self.own_group().map(|group| &group.suspended);
        among.iter().copied().filter(|process| suspended.is_some_and(|all| all.contains(process))).collect()
    }

    /// How many voters are wanted: the groups' desired capacities, up to the limit. Unknown while the view lacks this instance's own group.
    #[must_use]
    pub fn wanted_voters(&self) -> Option<usize> {
        self.own_group()?;
        let groups = self.seen.cloud.groups.fresh()?;
        let sum: usize = groups.iter().map(|g| g.desired as usize).sum();
        Some(sum.min(self.policy.max_voters))
    }

    /// `peer` has answered a question put after `moment`.
    #[must_use]
    pub fn heard_since(&self, peer: &InstanceId, moment: Timestamp) -> bool {
        self.seen.peers.get(peer).is_some_and(|r| r.fresh().is_some() && r.at().is_some_and(|at| at > moment))
    }

    /// How long this node has been at something.
    #[must_use]
    pub fn for_how_long(&self, since: Option<Timestamp>) -> Duration {
        since.map_or(Duration::ZERO, |s| self.now.since(s))
    }
}

fn to_via(member: &Member) -> Option<Via> {
    Some(Via::new(member.id, member.client_url?))
}
