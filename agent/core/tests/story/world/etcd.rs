//! The etcd cluster in a story. Unless the story says otherwise every started member answers and is level with the leader.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use quorate_core::etcd_version::EtcdVersion;
use quorate_core::ids::{EtcdClusterId, InstanceId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::{Alarm, EtcdView, Lock, Member, MemberStatus, Membership, PeerUrl};
use quorate_core::pausing::Pause;
use quorate_core::reading::Reading;
use quorate_core::role::Role;
use quorate_core::text::Foreign;
use quorate_core::time::Timestamp;

use crate::story::words::{Words, named};

/// The index that every member has applied unless the story says otherwise.
pub(crate) const INDEX: u64 = 10_000;

/// The version that every member runs unless the story says otherwise.
pub(crate) const V35: EtcdVersion = EtcdVersion { major: 3, minor: 5 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Silent,
    Leaderless,
    Applied(u64),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct EtcdWorld {
    cluster: Option<EtcdClusterId>,
    members: Vec<Member>,
    leader: Option<MemberId>,
    via: Option<MemberId>,
    no_quorum: bool,
    /// The list of before is remembered while no quorum answers.
    remembers: bool,
    refused: Option<Foreign>,
    busy: Option<Foreign>,
    alarm: Option<Alarm>,
    local: Option<Vec<Member>>,
    statuses: BTreeMap<MemberId, Status>,
    revisions: BTreeMap<MemberId, u64>,
    /// What a member says of itself, and what it says of the cluster; 3.5 if nothing is said.
    versions: BTreeMap<MemberId, Option<EtcdVersion>>,
    version: Option<Option<EtcdVersion>>,
    lock: Option<Lock>,
    pause: Option<Pause>,
    added: u64,
    /// What the members have applied beyond INDEX.
    more: u64,
}

impl EtcdWorld {
    pub(crate) fn set(&mut self, verb: &str, words: &Words<'_>, role: Role) {
        match verb {
            "status" => self.set_status(words),
            "lock" => self.lock = lock(words),
            _ => self.set_cluster(words, role),
        }
    }

    fn set_cluster(&mut self, words: &Words<'_>, role: Role) {
        let list = || words.rest().split_once(' ').map_or("", |(_, list)| list);
        match words.nth(0) {
            "members" => (self.members, self.no_quorum) = (Words::items(list()).map(|item| words.member(item, role)).collect(), false),
            "index" => self.more = words.number(words.nth(1)).saturating_sub(INDEX),
            "leader" => self.leader = Some(words.member_id(words.nth(1))),
            "version" => self.version = Some(EtcdVersion::parse(words.nth(1))),
            "via" => self.via = Some(words.member_id(words.nth(1))),
            "cluster" => self.cluster = Some(words.cluster_id(words.nth(1))),
            "no-quorum" => self.no_quorum = true,
            "remembers" => self.remembers = true,
            "refuses" => (self.no_quorum, self.refused) = (true, Some(words.rest().trim_start_matches("refuses ").into())),
            "is-busy" => (self.no_quorum, self.busy) = (true, Some(words.rest().trim_start_matches("is-busy ").into())),
            "quorum" => (self.no_quorum, self.refused, self.busy) = (false, None, None),
            "no-space" => self.alarm = Some(Alarm::NoSpace),
            "corrupt" => self.alarm = Some(Alarm::Corrupt),
            "no-alarm" => self.alarm = None,
            "local-list" => self.local = Some(Words::items(list()).map(|item| words.member(item, role)).collect()),
            _ => words.fail("no such word about etcd"),
        }
    }

    fn set_status(&mut self, words: &Words<'_>) {
        let id = words.member_id(words.nth(0));
        let status = match words.nth(1) {
            "fine" => {
                self.statuses.remove(&id);
                return;
            }
            "revision" => {
                self.revisions.insert(id, words.number(words.nth(2)));
                return;
            }
            "version" => {
                self.versions.insert(id, EtcdVersion::parse(words.nth(2)));
                return;
            }
            "silent" => Status::Silent,
            "leaderless" => Status::Leaderless,
            "applied" => Status::Applied(words.number(words.nth(2))),
            _ => words.fail("no such status"),
        };
        self.statuses.insert(id, status);
    }

    pub(crate) fn cluster(&self) -> EtcdClusterId {
        self.cluster.unwrap_or(EtcdClusterId(0xe1))
    }

    pub(crate) fn has_quorum(&self) -> bool {
        !self.no_quorum && !self.members.is_empty()
    }

    pub(crate) fn hold_lock(&mut self, ttl: Duration) {
        self.lock = Some(Lock::Mine { remaining: ttl });
    }

    pub(crate) fn free_lock(&mut self) {
        self.lock = Some(Lock::Free);
    }

    pub(crate) fn pause(&mut self, pause: Option<Pause>) {
        self.pause = pause;
    }

    pub(crate) fn lead(&mut self, to: MemberId) {
        self.leader = Some(to);
    }

    /// etcd never gives the same id twice: ad03 is the first learner of i-c, ad13 the second that was added.
    pub(crate) fn new_id(&mut self, letter: u8) -> MemberId {
        self.added += 1;
        MemberId(0xad00 + (self.added - 1) * 16 + u64::from(letter))
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn add(&mut self, member: Member) {
        self.members.push(member);
    }

    pub(crate) fn remove(&mut self, id: MemberId) {
        self.members.retain(|m| m.id != id);
    }

    pub(crate) fn readdress(&mut self, id: MemberId, peer_url: MemberUrl) {
        self.members.iter_mut().filter(|m| m.id == id).for_each(|m| m.peer_url = PeerUrl::At(peer_url));
    }

    pub(crate) fn promote(&mut self, id: MemberId) {
        self.members.iter_mut().filter(|m| m.id == id).for_each(|m| m.learner = false);
    }

    pub(crate) fn at(&mut self, address: IpAddr) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.peer_url.is_of(address))
    }

    pub(crate) fn name(&mut self, id: MemberId, name: &InstanceId, client_url: MemberUrl) {
        for member in self.members.iter_mut().filter(|m| m.id == id) {
            (member.name, member.client_url) = (Some(name.clone()), Some(client_url));
        }
    }

    pub(crate) fn leader(&self) -> Option<MemberId> {
        let voters = || self.members.iter().filter(|m| !m.learner).map(|m| m.id);
        self.leader.filter(|id| voters().any(|v| v == *id)).or_else(|| voters().next())
    }

    /// `own` is this node's member if its etcd runs and answers.
    pub(crate) fn observe(&self, own: Option<MemberId>, now: Timestamp) -> EtcdView {
        let voter = |id: MemberId| self.members.iter().any(|m| m.id == id && !m.learner);
        let via = self.via.or_else(|| own.filter(|id| voter(*id))).or_else(|| self.leader());
        let membership =
            Membership { cluster: self.cluster(), leader: self.leader(), via: via.unwrap_or(MemberId(0)), members: self.members.clone() };
        let local = self.local.clone().unwrap_or_else(|| self.members.clone());
        EtcdView {
            refused: self.refused.clone(),
            busy: self.busy.clone(),
            membership: match self.has_quorum() {
                true => Reading::Fresh(membership, now),
                false if self.remembers => Reading::Stale(membership, Timestamp(0)),
                false => Reading::unknown("no voter answers with quorum"),
            },
            local_list: if own.is_some() { Reading::Fresh(local, now) } else { Reading::unknown("etcd does not run here") },
            statuses: self.observe_statuses(own, now),
            lock: self.observe_lock(now),
            version: match self.version.unwrap_or(Some(V35)).filter(|_| self.has_quorum()) {
                Some(version) => Reading::Fresh(version, now),
                None => Reading::unknown("no voter has said it"),
            },
            pause: match self.has_quorum() {
                true => Reading::Fresh(self.pause.clone(), now),
                false => Reading::unknown("no voter answers with quorum"),
            },
        }
    }

    fn observe_lock(&self, now: Timestamp) -> Reading<Lock> {
        if self.has_quorum() {
            Reading::Fresh(self.lock.clone().unwrap_or(Lock::Free), now)
        } else {
            Reading::unknown("no voter answers with quorum")
        }
    }

    fn observe_statuses(&self, own: Option<MemberId>, now: Timestamp) -> BTreeMap<MemberId, Reading<MemberStatus>> {
        let mut ids: Vec<MemberId> = self.members.iter().map(|m| m.id).chain(own).collect();
        ids.dedup();
        ids.into_iter().map(|id| (id, self.observe_status(id, own, now))).collect()
    }

    fn observe_status(&self, id: MemberId, own: Option<MemberId>, now: Timestamp) -> Reading<MemberStatus> {
        let member = self.members.iter().find(|m| m.id == id);
        let started = member.is_none_or(|m| m.name.is_some());
        let told = self.statuses.get(&id).copied();
        let unheard = told == Some(Status::Silent) || !started || (!self.has_quorum() && own != Some(id) && told.is_none());
        if unheard {
            return Reading::unknown("it does not answer");
        }
        let leader = if told == Some(Status::Leaderless) || !self.has_quorum() || member.is_none() { None } else { self.leader() };
        let applied = if let Some(Status::Applied(index)) = told { index } else { INDEX + self.more };
        let status = MemberStatus {
            member: id,
            cluster: self.cluster(),
            leader,
            learner: member.is_some_and(|m| m.learner),
            term: 2,
            index: applied,
            applied,
            revision: Some(self.revisions.get(&id).copied().unwrap_or(applied)),
            version: self.versions.get(&id).copied().unwrap_or(Some(V35)),
            alarms: self.alarm.into_iter().collect(),
        };
        Reading::Fresh(status, now)
    }
}

fn lock(words: &Words<'_>) -> Option<Lock> {
    Some(match words.nth(0) {
        "free" => Lock::Free,
        "mine" => Lock::Mine { remaining: words.duration(words.nth(1)) },
        "other" => Lock::Other { holder: named(words.nth(1)), purpose: words.after("to").unwrap_or("join").into() },
        _ => words.fail("the lock is free, mine or other"),
    })
}
