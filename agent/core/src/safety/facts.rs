//! The few facts that the gate derives for itself.

use std::collections::BTreeSet;

use crate::charter::{Origin, Record, State, StoreView};
use crate::ids::{InstanceId, MemberId};
use crate::member_url::MemberUrl;
use crate::memory::Memory;
use crate::observation::LifecycleState::Warmed as WarmedState;
use crate::observation::{
    DataClaim, DataIdentity, Ec2Answer, Ec2State, HookRef, LifecycleState, LocalData, Lock, Member, Membership, Observation, PeerAnswer,
    Process, Transition, Warmed,
};
use crate::policy::Policy;
use crate::reading::Reading;
use crate::role::Ways;
use crate::time::Timestamp;
use crate::transport::Transport;

use super::memory::GateMemory;
use super::refusal::{CharterFault, Home, HookFault, Unread};
use super::verdict::{Verdict, forbid, require};

pub(super) struct Facts<'a> {
    pub(super) seen: &'a Observation,
    pub(super) memory: &'a Memory,
    pub(super) gate: &'a GateMemory,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
}

impl<'a> Facts<'a> {
    /// What follows from this instance's role.
    pub(super) fn ways(&self) -> &'static Ways {
        self.seen.me.role.ways()
    }

    pub(super) fn me(&self) -> &'a InstanceId {
        &self.seen.me.instance
    }

    /// The highest record that the store shows, read fresh, or the remembered one where no store is configured. It does not check whether the record can be
    /// trusted.
    pub(super) fn shown(&self) -> Verdict<Option<&'a Record>> {
        match self.seen.store.fresh() {
            Some(StoreView::Charter(log)) => Ok(log.highest()),
            Some(StoreView::Absent) => Ok(None),
            Some(StoreView::NotConfigured) => Ok(self.memory.kept.record.as_ref()),
            Some(StoreView::Foreign { example }) => Err(CharterFault::Foreign(example.clone()).into()),
            None => Err(Unread::Store.into()),
        }
    }

    /// The same, if it can be trusted: it is this cluster's, the records form one chain since the last fresh start, and none that is remembered is missing or
    /// changed.
    pub(super) fn highest(&self) -> Verdict<Option<&'a Record>> {
        let highest = self.shown()?;
        let remembered = self.memory.kept.record.as_ref();
        let Some(StoreView::Charter(log)) = self.seen.store.fresh() else {
            let lost = remembered.filter(|_| highest != remembered);
            return forbid(lost, |r| CharterFault::Lost(r.number)).map(|()| highest);
        };
        forbid(highest.filter(|r| !r.belongs_to(&self.seen.me)), |r| CharterFault::OfAnotherCluster(Home::of(r)))?;
        let is_fresh_start = |r: &&Record| r.origin == Origin::Fresh && r.founder().is_some();
        let since = log.records.iter().rposition(|r| is_fresh_start(&r)).unwrap_or(0);
        let unlinked = log.records[since..].windows(2).find(|pair| !pair[0].precedes(&pair[1]));
        forbid(unlinked, |pair| CharterFault::Unlinked(pair[1].number))?;
        let Some(remembered) = remembered else { return Ok(highest) };
        let replaced = || log.records.iter().filter(is_fresh_start).any(|r| r.number > remembered.number);
        match log.number(remembered.number) {
            Some(stored) => require(stored == remembered, CharterFault::Changed(remembered.number))?,
            None => require(replaced(), CharterFault::Lost(remembered.number))?,
        }
        Ok(highest)
    }

    /// The highest record, or a refusal if there is none.
    pub(super) fn charter(&self) -> Verdict<&'a Record> {
        Ok(self.highest()?.ok_or(CharterFault::None)?)
    }

    /// How this cluster's members are reached: as the highest record says that can be trusted, or else the remembered one.
    pub(super) fn transport(&self) -> Transport {
        let record = self.highest().ok().flatten().or(self.memory.kept.record.as_ref());
        let new = if self.ways().runs_etcd { self.policy.transport } else { Transport::Plain };
        record.map_or(new, |r| r.transport)
    }

    /// The peer URL of this instance's own member.
    pub(super) fn own_peer_url(&self) -> MemberUrl {
        self.seen.me.role.peer_url(self.seen.me.address, self.transport())
    }

    /// Requires that the charter, where it is known, names the etcd cluster that answers.
    pub(super) fn is_the_charters(&self, membership: &Membership) -> Verdict {
        let charter = self.highest().ok().flatten().and_then(|r| r.etcd_cluster);
        let same = charter.is_none_or(|cluster| cluster == membership.cluster);
        require(same, CharterFault::EtcdCluster { answers: membership.cluster, charter })
    }

    /// Whether EC2, its group or its own agent says that the instance is on its way out.
    pub(super) fn is_going(&self, id: &InstanceId) -> bool {
        let asked = self.seen.cloud.asked.get(id).and_then(|a| a.fresh());
        let ends = [Ec2State::ShuttingDown, Ec2State::Stopping, Ec2State::Stopped, Ec2State::Terminated];
        let ec2 = matches!(asked, Some(Ec2Answer::Known { state, .. }) if ends.contains(state));
        let listed = self.seen.cloud.listed.fresh().and_then(|l| l.get(id)).is_some_and(|i| i.state.is_terminating());
        ec2 || listed || self.has_ended(id) || self.peer(id).is_some_and(|p| p.leaving)
    }

    /// Whether there is a store. Only a fresh reading can say that there is none.
    pub(super) fn has_store(&self) -> bool {
        !matches!(self.seen.store.fresh(), Some(StoreView::NotConfigured))
    }

    pub(super) fn membership(&self) -> Verdict<&'a Membership> {
        self.seen.etcd.membership.fresh().ok_or_else(|| Unread::Quorum.into())
    }

    pub(super) fn data(&self) -> Option<&'a DataIdentity> {
        match self.seen.local.data.fresh() {
            Some(LocalData::Present(identity)) => Some(identity),
            _ => None,
        }
    }

    pub(super) fn disk_is_empty(&self) -> bool {
        matches!(self.seen.local.data.fresh(), Some(LocalData::Empty))
    }

    pub(super) fn own_member(&self) -> Verdict<MemberId> {
        self.data().and_then(|d| d.member).ok_or_else(|| Unread::OwnMember.into())
    }

    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.seen.local.process.fresh(), Some(Process::Stopped { .. }))
    }

    /// Whether this agent holds the lock for longer than any one call may take.
    pub(super) fn lock_outlasts_a_call(&self) -> bool {
        let age = self.seen.etcd.lock.at().map(|at| self.now.since(at)).unwrap_or_default();
        matches!(self.seen.etcd.lock.fresh(), Some(Lock::Mine { remaining }) if remaining.saturating_sub(age) > self.policy.call_timeout)
    }

    /// Whether the agent beside this member says that it is leaving.
    pub(super) fn peer_leaves(&self, membership: &Membership, member: MemberId) -> bool {
        let instance = membership.get(member).and_then(|m| self.instance_behind(m));
        instance.is_some_and(|i| self.peer(&i).is_some_and(|p| p.leaving))
    }

    pub(super) fn answers(&self, member: MemberId) -> bool {
        self.seen.etcd.statuses.get(&member).and_then(|s| s.fresh()).is_some_and(|s| s.leader.is_some())
    }

    pub(super) fn healthy_voters_without(&self, membership: &Membership, member: MemberId) -> usize {
        membership.voters().filter(|m| m.id != member && self.answers(m.id)).count()
    }

    /// The same without members of instances that EC2 does not know and that this node has never seen.
    pub(super) fn healthy_known_voters_without(&self, membership: &Membership, member: MemberId) -> usize {
        let unknown = |i: &InstanceId| self.memory.instances.not_found.contains_key(i) && !self.memory.kept.seen.contains_key(i);
        let known = |m: &Member| self.instance_behind(m).is_some_and(|i| !unknown(&i) && !self.is_outside(&i));
        membership.voters().filter(|m| m.id != member && self.answers(m.id) && known(m)).count()
    }

    /// Whether no group was ever seen to list the instance, although the groups were read since it was first seen, and no agent answers there.
    fn is_outside(&self, id: &InstanceId) -> bool {
        let read = self.seen.cloud.listed.at();
        let since = self.memory.instances.watched.get(id).zip(read).is_some_and(|(first, read)| read > *first);
        let ungrouped = self.memory.kept.seen.get(id).is_some_and(|known| known.group.is_none());
        since && ungrouped && self.peer(id).is_none()
    }

    pub(super) fn is_own_hook(&self, hook: &HookRef) -> bool {
        hook.group == self.seen.me.group && self.seen.cloud.hooks.last().is_some_and(|hooks| hooks.iter().any(|h| h.hook == *hook))
    }

    pub(super) fn is_mine(&self, member: &Member) -> bool {
        member.name.as_ref() == Some(self.me())
            || member.peer_url.is_of(self.seen.me.address)
            || self.data().is_some_and(|d| d.member == Some(member.id))
    }

    /// Whether a quorum says that this disk's own member votes.
    pub(super) fn votes(&self) -> bool {
        let Some((membership, data)) = self.seen.etcd.membership.fresh().zip(self.data()) else { return false };
        data.cluster == Some(membership.cluster) && membership.voters().any(|v| data.member == Some(v.id))
    }

    /// Whether a quorum says that no voter is this instance's.
    pub(super) fn surely_does_not_vote(&self) -> bool {
        self.seen.etcd.membership.fresh().is_some_and(|m| !m.voters().any(|v| self.is_mine(v)))
    }

    pub(super) fn peer(&self, id: &InstanceId) -> Option<&'a PeerAnswer> {
        self.seen.peers.get(id).and_then(|p| p.fresh())
    }

    /// The records of this cluster that the others say they remember.
    pub(super) fn records_told(&self) -> impl Iterator<Item = (&'a InstanceId, &'a Record)> {
        let me = &self.seen.me;
        let told = self.seen.peers.iter().filter_map(|(id, p)| Some((id, p.fresh()?.record.as_ref()?)));
        told.filter(move |(_, r)| r.belongs_to(me))
    }

    pub(super) fn has_ended(&self, id: &InstanceId) -> bool {
        let asked = self.seen.cloud.asked.get(id).and_then(|a| a.fresh());
        let terminated = matches!(asked, Some(Ec2Answer::Known { state: Ec2State::Terminated, .. }));
        let asked_for = self.memory.instances.not_found.get(id).map(|(first, last)| last.since(*first));
        let once_known =
            self.memory.kept.seen.contains_key(id) || self.memory.kept.record.as_ref().is_some_and(|r| r.named().any(|n| n == id));
        // A group that watches it would have replaced it.
        let listed = self.seen.cloud.listed.last().and_then(|l| l.get(id)).map(|i| i.state);
        let vouched_for = listed.is_some_and(|state| state != LifecycleState::Standby && !state.is_terminating());
        let forgotten = once_known && !vouched_for && asked_for.is_some_and(|d| d >= self.policy.unknown_is_gone_after);
        terminated || self.memory.instances.terminated.contains(id) || forgotten
    }

    /// Whether the instance has ended, or is on its way out by a fresh reading of EC2 or its group and has been silent for the grace.
    pub(super) fn has_departed(&self, id: &InstanceId) -> bool {
        let asked = self.seen.cloud.asked.get(id).and_then(|a| a.fresh());
        let going = matches!(asked, Some(Ec2Answer::Known { state: Ec2State::ShuttingDown | Ec2State::Stopping | Ec2State::Stopped, .. }));
        let listed = self.seen.cloud.listed.fresh().and_then(|l| l.get(id)).is_some_and(|i| i.state.is_terminating());
        self.has_ended(id) || ((going || listed) && self.memory.silent_for(id, self.now) >= self.policy.prune_grace)
    }

    /// Requires that the instance's own entry says that it waits for its hooks of this transition. The entry must have been read after its own agent was last
    /// heard, after the last moment at which another agent beside a leader could act, and after this agent last tried.
    pub(super) fn still_waits(&self, id: &InstanceId, transition: Transition) -> Verdict {
        let not_waiting = || HookFault::NotWaiting(id.clone());
        let Some(Reading::Fresh(Some(state), at)) = self.seen.cloud.places.get(id) else { return Err(not_waiting().into()) };
        let waits = match transition {
            Transition::Launching => LifecycleState::PendingWait,
            Transition::Terminating => LifecycleState::TerminatingWait,
        };
        let is_before = |earlier: Option<&Timestamp>| earlier.is_none_or(|earlier| *at > *earlier);
        let alone = self.gate.led().is_some_and(|(_, since)| *at > since + self.policy.stale_after);
        require(*state == waits, not_waiting())?;
        let after_all = alone && is_before(self.memory.instances.heard.get(id)) && is_before(self.memory.hooks.tried_for.get(id));
        require(after_all, HookFault::EntryTooOld(id.clone()))
    }

    /// The instance behind a member's entry: by the entry's name, or without one by the address where the instance was seen.
    pub(super) fn instance_behind(&self, member: &Member) -> Option<InstanceId> {
        if let Some(name) = &member.name {
            return Some(name.clone());
        }
        let seen = self
            .memory
            .kept
            .seen
            .iter()
            .find(|(id, s)| !self.memory.instances.terminated.contains(*id) && s.address.is_some_and(|a| member.peer_url.is_of(a)));
        seen.map(|(id, _)| id.clone())
    }

    /// Whether the key that signed its answer is the one that its agent used when it was first heard.
    pub(super) fn signs_as_before(&self, id: &InstanceId) -> bool {
        let key = self.peer(id).and_then(|p| p.signed_by);
        key.is_some() && !self.has_another_key(id)
    }

    /// Whether its answer came from that instance: its certificate says so, or an operator vouches for the network.
    pub(super) fn came_from(&self, id: &InstanceId) -> bool {
        self.policy.network_trusted || self.peer(id).is_some_and(|answer| answer.certified)
    }

    /// Whether its agent was first heard with a key other than the one that signed its answer now.
    pub(super) fn has_another_key(&self, id: &InstanceId) -> bool {
        self.peer(id).zip(self.memory.instances.heard_as.get(id)).is_some_and(|(answer, before)| answer.signed_by != Some(before.key))
    }

    /// Whether its own fresh answer says that it does not hold this member's data. It counts only on a trusted network, and signed as before.
    pub(super) fn denies(&self, id: &InstanceId, member: MemberId) -> bool {
        self.says_it_lacks(id, member) && self.signs_as_before(id)
    }

    /// The same, signed by any key or by none. This is enough where a quorum goes on without that member, because nothing is lost with it.
    pub(super) fn says_it_lacks(&self, id: &InstanceId, member: MemberId) -> bool {
        let denied = match self.peer(id).map(|p| &p.data) {
            Some(DataClaim::None) => true,
            Some(DataClaim::Holds { member: held, .. }) => *held != member,
            _ => false,
        };
        denied && self.came_from(id)
    }

    /// Every other instance that could hold data or a record.
    pub(super) fn everybody_else(&self) -> BTreeSet<InstanceId> {
        let machine_is_off = |id: &InstanceId| {
            let state = self.seen.cloud.listed.last().and_then(|l| l.get(id)).map(|i| i.state);
            matches!(state, Some(WarmedState(Warmed::Stopped | Warmed::Hibernated)))
        };
        let mut all: BTreeSet<InstanceId> = self.memory.kept.seen.keys().filter(|id| !machine_is_off(id)).cloned().collect();
        all.extend(self.seen.cloud.listed.last().into_iter().flat_map(|l| l.keys().filter(|id| !machine_is_off(id)).cloned()));
        all.extend(self.seen.cloud.tagged.last().into_iter().flatten().filter(|id| !machine_is_off(id)).cloned());
        let records = self.shown().ok().flatten().into_iter().chain(&self.memory.kept.record);
        all.extend(records.flat_map(|r| r.named().cloned()));
        all.remove(self.me());
        all
    }

    /// Whether the record is this node's own `founding`.
    pub(super) fn founds(&self, record: &Record) -> bool {
        matches!(&record.state, State::Founding { founder } if founder == self.me())
    }
}
