//! The naive reader's facts.

use std::time::Duration;

use quorate_core::charter::{Origin, Record, State, StoreView};
use quorate_core::ids::{EtcdClusterId, Generation, InstanceId, MemberId};
use quorate_core::memory::Order;
use quorate_core::observation::{
    Alarm, DataClaim, DataIdentity, Ec2Answer, Ec2State, EventState, HookRef, LifecycleState, LocalData, Lock, Member, Process,
    ShutdownKind, Transition, Warmed,
};
use quorate_core::pausing::{Pause, Wish};
use quorate_core::policy::OnRebalance;
use quorate_core::reading::Reading;

use crate::property::world::World;

const NO_QUORUM: &str = "no quorum has spoken";

pub(crate) struct Facts<'a> {
    pub(crate) w: &'a World,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(w: &'a World) -> Self {
        Self { w }
    }

    pub(crate) fn members(&self) -> Result<Vec<Member>, &'static str> {
        self.w.seen.etcd.membership.fresh().map(|m| m.members.clone()).ok_or(NO_QUORUM)
    }

    pub(crate) fn cluster(&self) -> Option<EtcdClusterId> {
        self.w.seen.etcd.membership.fresh().map(|m| m.cluster)
    }

    pub(crate) fn voters(&self) -> Result<Vec<MemberId>, &'static str> {
        Ok(self.members()?.iter().filter(|m| !m.learner).map(|m| m.id).collect())
    }

    pub(crate) fn learners(&self) -> Result<Vec<MemberId>, &'static str> {
        Ok(self.members()?.iter().filter(|m| m.learner).map(|m| m.id).collect())
    }

    pub(crate) fn entry(&self, id: MemberId) -> Option<Member> {
        self.members().ok()?.into_iter().find(|m| m.id == id)
    }

    /// It answered, freshly, and knows a leader.
    pub(crate) fn is_healthy(&self, id: MemberId) -> bool {
        self.w.seen.etcd.statuses.get(&id).and_then(|s| s.fresh()).is_some_and(|s| s.leader.is_some())
    }

    /// More than half of these are healthy.
    pub(crate) fn healthy_is_quorum_of(&self, ids: &[MemberId]) -> bool {
        2 * ids.iter().filter(|id| self.is_healthy(**id)).count() > ids.len()
    }

    /// This agent holds the lock for longer than a call takes, counted from when it was read.
    pub(crate) fn holds_lock(&self) -> bool {
        let at = self.w.seen.etcd.lock.at().map_or(0, |at| self.w.now.0 - at.0);
        match self.w.seen.etcd.lock.fresh() {
            Some(Lock::Mine { remaining }) => remaining.as_millis() as u64 > at + 5000,
            _ => false,
        }
    }

    pub(crate) fn data(&self) -> Option<&'a DataIdentity> {
        match self.w.seen.local.data.fresh() {
            Some(LocalData::Present(identity)) => Some(identity),
            _ => None,
        }
    }

    pub(crate) fn generation(&self) -> Option<Generation> {
        self.data().and_then(|d| d.generation)
    }

    pub(crate) fn own_member(&self) -> Option<MemberId> {
        self.data().and_then(|d| d.member)
    }

    pub(crate) fn knows_disk(&self) -> bool {
        self.w.seen.local.data.fresh().is_some()
    }

    pub(crate) fn disk_is_empty(&self) -> bool {
        matches!(self.w.seen.local.data.fresh(), Some(LocalData::Empty))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.w.seen.local.process.fresh(), Some(Process::Stopped { .. }))
    }

    /// The entry carries this instance's name or address, or this disk's member id.
    pub(crate) fn is_own(&self, id: MemberId) -> bool {
        let Some(entry) = self.entry(id) else { return false };
        entry.name.as_ref() == Some(&self.w.seen.me.instance)
            || entry.peer_url.is_of(self.w.seen.me.address)
            || self.own_member() == Some(id)
    }

    /// This disk's own member is a voter by a quorum's word.
    pub(crate) fn votes(&self) -> bool {
        let same = self.cluster().is_some() && self.data().and_then(|d| d.cluster) == self.cluster();
        same && self.own_member().and_then(|id| self.entry(id)).is_some_and(|m| !m.learner)
    }

    /// A quorum lists the member whose data is here.
    pub(crate) fn is_member_still(&self) -> bool {
        let same = self.cluster().is_some() && self.data().and_then(|d| d.cluster) == self.cluster();
        same && self.own_member().is_some_and(|id| self.entry(id).is_some())
    }

    /// A quorum lists an entry of this instance; where no quorum answers, the remembered charter does.
    pub(crate) fn is_listed_still(&self) -> bool {
        match self.members() {
            // What etcd said just before it was stopped may still be fresh: it names no other voter that is left, and no heir that could take over.
            Ok(_) if self.is_stopped() && self.is_leaving() && self.votes() && self.nobody_else_votes() => {
                self.has_an_heir() && !self.is_late()
            }
            Ok(members) => members.iter().any(|m| self.is_own(m.id)),
            // It was the last voter, and this agent has stopped it as such.
            Err(_) if self.is_stopped() && (self.w.memory.ending.is_stopped() || (self.is_leaving() && self.nobody_else_votes())) => false,
            Err(_) => self.may_vote_unseen() || self.data().is_some(),
        }
    }

    /// No quorum answers, and the remembered charter lists this instance.
    pub(crate) fn may_vote_unseen(&self) -> bool {
        self.members().is_err() && self.w.memory.kept.record.as_ref().is_some_and(|r| r.lists(&self.w.seen.me.instance))
    }

    /// It was started more than three times in five minutes, and is down.
    pub(crate) fn is_broken(&self) -> bool {
        let recent = |at: &&quorate_core::time::Timestamp| self.w.now.0 - at.0 < 300_000;
        self.is_stopped() && self.w.memory.local.starts.iter().filter(recent).count() > 3
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.is_told_to_leave()
    }

    pub(crate) fn wants_pause(&self, pause: &Pause) -> bool {
        matches!(&self.w.memory.kept.pausing.wish, Some(Wish::Pause(wanted)) if wanted == pause)
    }

    pub(crate) fn wants_no_pause(&self) -> bool {
        matches!(&self.w.memory.kept.pausing.wish, Some(Wish::Resume))
    }

    /// An operator's pause is remembered here, or the cluster's was read, and it has not been ended since.
    pub(crate) fn is_paused(&self) -> bool {
        let kept = &self.w.memory.kept.pausing;
        let wanted = matches!(kept.wish, Some(Wish::Pause(_)));
        let elsewhere = kept.cluster.is_some() && kept.cluster != kept.overridden && !self.wants_no_pause();
        kept.own.is_some() || wanted || (elsewhere && self.w.seen.etcd.pause.fresh().is_none())
    }

    /// Its group, EC2, its operating system or an operator makes it leave.
    pub(crate) fn is_told_to_leave(&self) -> bool {
        let (seen, memory) = (&self.w.seen, &self.w.memory);
        let stays = |state: &LifecycleState| {
            use LifecycleState::{InService, Other, Pending, PendingProceed, PendingWait, RootVolumeReplaced, Standby};
            matches!(state, InService | Other | Pending | PendingProceed | PendingWait | RootVolumeReplaced | Standby)
        };
        // Only IMDS says in time that it is warm or detached.
        let goes = |state: &LifecycleState| !stays(state) && !matches!(state, LifecycleState::Warmed(_) | LifecycleState::Detached);
        let is_volume = |s: &LifecycleState| {
            matches!(s, LifecycleState::ReplacingRootVolume | LifecycleState::ReplacingRootVolumeWait)
                && seen.cloud.own_state.fresh().is_some()
        };
        let on_the_list = seen.cloud.listed.fresh().and_then(|l| l.get(&seen.me.instance)).map(|i| i.state);
        let listed = on_the_list.is_some_and(|state| goes(&state) && !is_volume(&state));
        let target = seen.target.last().is_some_and(|t| t.as_ref().is_some_and(|t| !stays(t)));
        let own = seen.cloud.own_state.last().is_some_and(goes);
        let heeds = self.w.policy.on_rebalance == OnRebalance::Leave && seen.notices.rebalance.last().is_some_and(Option::is_some);
        let launch = seen.cloud.own_state.last();
        let recommended =
            heeds && !launch.is_some_and(|s| matches!(s, LifecycleState::PendingWait | LifecycleState::Warmed(Warmed::Waiting)));
        listed || target || own || recommended || memory.kept.order == Some(Order::Leave) || self.taken_at().is_some()
    }

    /// Whatever makes it leave takes the instance too.
    pub(crate) fn instance_goes(&self) -> bool {
        let seen = &self.w.seen;
        let listed = seen.cloud.listed.fresh().and_then(|l| l.get(&seen.me.instance)).map(|i| i.state);
        let own = seen.cloud.own_state.last().copied();
        let ends = |state: LifecycleState| {
            use LifecycleState::{ReplacingRootVolume, ReplacingRootVolumeWait, Warmed};
            (state.is_terminating() && own.or(listed) != Some(LifecycleState::TerminatingRetained))
                || (matches!(state, ReplacingRootVolume | ReplacingRootVolumeWait | Warmed(_)))
        };
        let all = [listed, own, seen.target.last().copied().flatten()];
        all.into_iter().flatten().any(ends) || self.taken_at().is_some()
    }

    /// When EC2 or a power-off takes the machine.
    fn taken_at(&self) -> Option<u64> {
        let seen = &self.w.seen;
        let mut all = Vec::new();
        if let Some(Some(spot)) = seen.notices.spot.last() {
            all.push(spot.at.0);
        }
        for event in seen.notices.scheduled.last().into_iter().flatten() {
            let goes = ["instance-stop", "instance-retirement"].contains(&event.code.to_string().as_str());
            if goes && event.state == EventState::Active && self.w.now.0 + 900_000 >= event.not_before.0 {
                all.push(event.not_before.0);
            }
        }
        if let Some(shutdown) = seen.local.shutdown
            && shutdown.kind == ShutdownKind::PowerOff
        {
            all.push(shutdown.deadline.0);
        }
        all.into_iter().min()
    }

    fn is_taken_soon(&self) -> bool {
        self.taken_at().is_some_and(|at| self.w.now.0 + self.w.policy.leave_margin.as_millis() as u64 >= at)
    }

    /// The machine or one of its own termination hooks has less than the margin left.
    pub(crate) fn is_out_of_time(&self) -> bool {
        let hooks = self.w.seen.cloud.hooks.last().into_iter().flatten();
        let mut own = hooks.filter(|h| h.transition == Transition::Terminating && h.hook.group == self.w.seen.me.group);
        self.is_taken_soon()
            || own.any(|h| {
                let Some(beat) = self.w.memory.hooks.heartbeats.get(&h.hook) else { return false };
                let from_beat = beat.accepted.unwrap_or(beat.opened).0 + h.heartbeat_timeout.as_millis() as u64;
                let from_opening = beat.opened.0 + h.global_timeout.as_millis() as u64;
                self.w.now.0 + self.w.policy.leave_margin.as_millis() as u64 >= from_beat.min(from_opening)
            })
    }

    /// Every other voter is lost, by a quorum's list, or else by this member's own and the remembered record's.
    pub(crate) fn nobody_else_votes(&self) -> bool {
        let own = |m: &Member| {
            let me = &self.w.seen.me;
            m.name.as_ref() == Some(&me.instance) || m.peer_url.is_of(me.address) || self.own_member() == Some(m.id)
        };
        let over = |m: &Member| m.learner || own(m) || self.is_lost(m);
        if let Ok(members) = self.members() {
            return members.iter().all(over);
        }
        let (list, record) = (self.w.seen.etcd.local_list.fresh(), &self.w.memory.kept.record);
        let left = |r: &Record| {
            let lost = |id: &InstanceId, member| self.is_gone(id) || self.disowns(id, member);
            r.voters.iter().any(|v| v.instance != self.w.seen.me.instance && !lost(&v.instance, v.member))
        };
        (list.is_some() || record.is_some()) && list.is_none_or(|l| l.iter().all(over)) && !record.as_ref().is_some_and(left)
    }

    /// Another instance's learner answers, and could be promoted.
    pub(crate) fn has_an_heir(&self) -> bool {
        self.learners().is_ok_and(|all| all.iter().any(|id| !self.is_own(*id) && self.is_healthy(*id)))
    }

    /// This node's earliest deadline is nearer than the margin: a termination hook's, or, without one, a minute after the notice.
    pub(crate) fn is_late(&self) -> bool {
        self.ends_within(self.w.policy.leave_margin)
    }

    /// etcd is out of space, so no agent can hold the lock; no member is on its way in; little time is left; and no other leaver has a lower id or
    /// leads.
    pub(crate) fn may_leave_without_the_lock(&self) -> bool {
        let w = self.w;
        let alarm = w.seen.etcd.statuses.values().filter_map(|s| s.fresh()).any(|s| s.alarms == [Alarm::NoSpace]);
        let free = matches!(w.seen.etcd.lock.fresh(), Some(Lock::Free));
        let Some(membership) = w.seen.etcd.membership.fresh() else { return false };
        let started = membership.members.iter().all(|m| m.name.is_some() && !m.learner);
        let mine = self.own_member();
        let leaves = |m: &Member| m.name.as_ref().and_then(|name| w.seen.peers.get(name)?.fresh()).is_some_and(|p| p.leaving);
        let goes_first = |m: &Member| Some(m.id) != mine && leaves(m) && (membership.leader == Some(m.id) || Some(m.id) < mine);
        let is_turn = membership.leader == mine || !membership.members.iter().any(goes_first);
        alarm && free && started && is_turn && self.is_leaving() && self.ends_within(w.policy.leave_margin * 3)
    }

    fn ends_within(&self, margin: Duration) -> bool {
        let Some(since) = self.told_since() else { return false };
        let hooks = self.w.seen.cloud.hooks.last().into_iter().flatten();
        let own = hooks.filter(|h| h.transition == Transition::Terminating && h.hook.group == self.w.seen.me.group);
        let ends = own.map(|h| {
            let beat = self.w.memory.hooks.heartbeats.get(&h.hook);
            let opened = beat.map_or(since, |b| b.opened);
            let renewed = beat.and_then(|b| b.accepted).unwrap_or(opened);
            (renewed + h.heartbeat_timeout).min(opened + h.global_timeout)
        });
        let end = ends.min().unwrap_or(since + self.w.policy.unhooked_leave);
        self.taken_at().is_some_and(|at| self.w.now.0 + margin.as_millis() as u64 >= at) || self.w.now + margin >= end
    }

    /// The store's records follow one another since the last fresh start, and none differs from what is remembered.
    pub(crate) fn can_trust(&self) -> bool {
        let Some(StoreView::Charter(log)) = self.w.seen.store.fresh() else { return true };
        let fresh = |r: &Record| r.origin == Origin::Fresh && matches!(r.state, State::Founding { .. });
        let last = log.records.iter().filter(|r| fresh(r)).map(|r| r.number).max().unwrap_or(0);
        let mut rest = log.records.iter().filter(|r| r.number >= last);
        let mut before = rest.next();
        let linked = rest.all(|r| {
            let follows = before.is_some_and(|b| r.previous.as_ref() == Some(&b.digest()) && r.number == b.number + 1);
            before = Some(r);
            follows
        });
        let remembered = self.w.memory.kept.record.as_ref();
        let differs = |r: &Record| remembered.is_some_and(|known| known.number == r.number && known != r);
        let is_there = |known: &Record| log.records.iter().any(|r| r.number == known.number) || last > known.number;
        linked && remembered.is_none_or(is_there) && !log.records.iter().any(differs)
    }

    /// The charter, if it can be trusted, names the etcd cluster that answers.
    pub(crate) fn is_the_charters_cluster(&self) -> bool {
        let named = self.stored().filter(|_| self.can_trust()).and_then(|r| r.etcd_cluster);
        named.is_none() || named == self.cluster()
    }

    /// It is leaving, as EC2, the group or its own agent says.
    pub(crate) fn is_going(&self, id: &InstanceId) -> bool {
        let says_so = self.w.seen.peers.get(id).and_then(|p| p.fresh()).is_some_and(|p| p.leaving);
        let listed = self.w.seen.cloud.listed.fresh().and_then(|l| l.get(id)).map(|i| i.state);
        let ends = matches!(self.ec2(id), Some(Ec2State::ShuttingDown | Ec2State::Stopping | Ec2State::Stopped | Ec2State::Terminated));
        says_so || ends || listed.is_some_and(LifecycleState::is_terminating)
    }

    /// Its own entry, read when only this node could act for the dead, says that it waits. This node had then led for six seconds, which is how long
    /// others may act on what they read, and since then neither had that instance been heard nor had this node tried.
    pub(crate) fn is_seen_waiting(&self, id: &InstanceId) -> bool {
        let Some(Reading::Fresh(Some(LifecycleState::TerminatingWait | LifecycleState::PendingWait), at)) =
            self.w.seen.cloud.places.get(id)
        else {
            return false;
        };
        let Some(since) = self.led_since() else { return false };
        let others =
            [Some(&(since + Duration::from_secs(6))), self.w.memory.instances.heard.get(id), self.w.memory.hooks.tried_for.get(id)];
        others.into_iter().flatten().all(|other| other < at)
    }

    pub(crate) fn has_completed(&self, hook: &HookRef) -> bool {
        self.w.memory.hooks.completed.iter().any(|(done, id)| done == hook && *id == self.w.seen.me.instance)
    }

    /// The highest record that may be relied on: of a store that was read now, or remembered where there is no store.
    pub(crate) fn stored(&self) -> Option<&'a Record> {
        match self.w.seen.store.fresh()? {
            StoreView::Charter(log) => log.records.iter().max_by_key(|r| r.number),
            StoreView::NotConfigured => self.w.memory.kept.record.as_ref(),
            StoreView::Absent | StoreView::Foreign { .. } => None,
        }
    }

    pub(crate) fn is_established(&self, record: &Record) -> bool {
        record.state == State::Established
    }

    pub(crate) fn founds(&self, record: &Record) -> bool {
        record.state == State::Founding { founder: self.w.seen.me.instance.clone() }
    }

    fn ec2(&self, id: &InstanceId) -> Option<Ec2State> {
        match self.w.seen.cloud.asked.get(id)?.fresh()? {
            Ec2Answer::Known { state, .. } => Some(*state),
            Ec2Answer::NotFound => None,
        }
    }

    /// EC2 says that it has ended, or has for an hour not known an instance that was known before, and that no list has except in standby or taken down.
    pub(crate) fn is_gone(&self, id: &InstanceId) -> bool {
        let named = |r: &&Record| r.lists(id) || r.state == State::Founding { founder: id.clone() };
        let known = self.w.memory.kept.seen.contains_key(id) || self.charters().iter().any(named);
        let forgotten = self.w.memory.instances.not_found.get(id).is_some_and(|(first, last)| last.0 - first.0 >= 3_600_000);
        let on_the_list = self.w.seen.cloud.listed.last().and_then(|l| l.get(id)).map(|i| i.state);
        let nobody_looks = on_the_list.is_none_or(|state| state == LifecycleState::Standby || state.is_terminating());
        self.w.memory.instances.terminated.contains(id)
            || self.ec2(id) == Some(Ec2State::Terminated)
            || (known && forgotten && nobody_looks)
    }

    /// The answer is that instance's own: it proved that, or an operator says that nobody else can be there.
    pub(crate) fn is_its_own(&self, id: &InstanceId) -> bool {
        self.w.policy.network_trusted || self.w.seen.peers.get(id).and_then(|p| p.fresh()).is_some_and(|p| p.certified)
    }

    pub(crate) fn charters(&self) -> Vec<&'a Record> {
        self.stored().into_iter().chain(&self.w.memory.kept.record).collect()
    }

    /// The records that peers say they remember.
    pub(crate) fn told(&self) -> Vec<&'a Record> {
        self.w.seen.peers.values().filter_map(|p| p.fresh()).filter_map(|p| p.record.as_ref()).collect()
    }

    /// The record is of a later generation than this disk's data, or of another etcd cluster of the same generation.
    pub(crate) fn replaces_data(&self, record: &Record) -> bool {
        let clusters = (self.data().and_then(|d| d.cluster), record.etcd_cluster);
        let twin = clusters.0.is_some() && clusters.1.is_some() && clusters.0 != clusters.1;
        self.generation().is_some_and(|g| g < record.generation || (g == record.generation && twin))
    }

    /// It is gone; or leaving, and silent for a minute.
    pub(crate) fn is_departed(&self, id: &InstanceId) -> bool {
        let listed = self.w.seen.cloud.listed.fresh().and_then(|l| l.get(id)).map(|i| i.state);
        let going = matches!(self.ec2(id), Some(Ec2State::ShuttingDown | Ec2State::Stopping | Ec2State::Stopped))
            || listed.is_some_and(LifecycleState::is_terminating);
        let silent = self.w.memory.silent_for(id, self.w.now).as_secs() >= 60;
        self.is_gone(id) || (going && silent)
    }

    pub(crate) fn owner_of(&self, entry: &Member) -> Option<InstanceId> {
        let at_address = || {
            let seen = self.w.memory.kept.seen.iter();
            seen.filter(|(id, _)| !self.w.memory.instances.terminated.contains(*id))
                .find(|(_, s)| s.address.is_some_and(|a| entry.peer_url.is_of(a)))
                .map(|(id, _)| id.clone())
        };
        entry.name.clone().or_else(at_address)
    }

    /// The voter is gone: its instance is, or its agent says, credibly, that its data is.
    pub(crate) fn is_lost(&self, entry: &Member) -> bool {
        self.owner_of(entry).is_some_and(|id| self.is_gone(&id) || self.disowns(&id, entry.id))
    }

    /// Another process may have taken its agent's port, or its agent proves nothing: it answers under another key than it was heard with before, or under none.
    pub(crate) fn may_be_an_impostor(&self, id: &InstanceId) -> bool {
        let Some(answer) = self.w.seen.peers.get(id).and_then(|p| p.fresh()) else { return false };
        match (answer.signed_by, self.w.memory.instances.heard_as.get(id)) {
            (Some(now), Some(then)) => now != then.key,
            (None, _) => true,
            (Some(_), None) => false,
        }
    }

    /// It was heard under a key before, and this answer is not under that key.
    pub(crate) fn has_changed_its_key(&self, id: &InstanceId) -> bool {
        self.may_be_an_impostor(id) && self.w.memory.instances.heard_as.contains_key(id)
    }

    /// Its agent says, credibly, that it does not hold this member's data.
    pub(crate) fn disowns(&self, id: &InstanceId, of: MemberId) -> bool {
        let denies = match self.w.seen.peers.get(id).and_then(|p| p.fresh()).map(|p| &p.data) {
            Some(DataClaim::None) => true,
            Some(DataClaim::Holds { member, .. }) => *member != of,
            Some(DataClaim::Unknown) | None => false,
        };
        denies && self.is_its_own(id) && !self.may_be_an_impostor(id)
    }
}
