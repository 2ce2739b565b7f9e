//! What one member has on its disk: a log, how much of it is applied, and the resulting state.

use std::sync::Arc;

use quorate_core::ids::{EtcdClusterId, InstanceId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::Member;

use crate::simulator::bits::Bits;

/// One entry's content.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A leader's first entry.
    Nothing,
    /// A numbered write of the background client.
    Put(u32),
    /// A started member publishes its name and client URL.
    Publish(MemberId, InstanceId, MemberUrl),
    /// A member is added; a learner unless it is a cluster's first.
    Add(Arc<Member>),
    /// A learner becomes a voter.
    Promote(MemberId),
    /// A member is removed, for ever.
    Remove(MemberId),
}

impl Change {
    pub(crate) fn is_membership(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Promote(_) | Self::Remove(_))
    }
}

/// One entry of the log. The same term at the same index means the same log up to there, as raft guarantees.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) term: u64,
    pub(crate) change: Change,
}

/// A member's data directory.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) cluster: EtcdClusterId,
    pub(crate) member: MemberId,
    pub(crate) term: u64,
    pub(crate) log: Vec<Entry>,
    pub(crate) commit: usize,
    pub(crate) applied: usize,
    /// The member list as of `applied`.
    pub(crate) members: Arc<Vec<Member>>,
    /// Members removed as of `applied`.
    pub(crate) removed: Vec<MemberId>,
    /// What a restored cluster began with; a new member gets it as a snapshot.
    pub(crate) base: Arc<Bits>,
    /// Whether the base has arrived: a joiner starts with nothing.
    pub(crate) has_base: bool,
    /// The client's writes as of `applied`.
    pub(crate) writes: Bits,
}

impl Data {
    /// The data of a member that was added and knows its list, but has no entry yet.
    pub(crate) fn joining(cluster: EtcdClusterId, member: MemberId, members: Arc<Vec<Member>>) -> Self {
        Self {
            cluster,
            member,
            term: 1,
            log: Vec::new(),
            commit: 0,
            applied: 0,
            members,
            removed: Vec::new(),
            base: Arc::default(),
            has_base: false,
            writes: Bits::default(),
        }
    }

    /// The data of a new cluster's only member.
    pub(crate) fn first(cluster: EtcdClusterId, me: Member, base: Bits) -> Self {
        let mut data = Self::joining(cluster, me.id, Arc::default());
        data.writes = base.clone();
        data.base = Arc::new(base);
        data.has_base = true;
        data.log.push(Entry { term: 1, change: Change::Add(Arc::new(me)) });
        data.commit = 1;
        data.apply();
        data
    }

    /// Term and index of the last entry; the greater one is ahead.
    pub(crate) fn position(&self) -> (u64, usize) {
        (self.log.last().map_or(0, |e| e.term), self.log.len())
    }

    /// The last applied revision: each write makes one.
    pub(crate) fn revision(&self) -> u64 {
        1 + self.writes.count()
    }

    /// Bytes of a snapshot of it: a database's first page, and more with each write.
    pub(crate) fn size(&self) -> u64 {
        4096 * self.revision()
    }

    pub(crate) fn entry(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|m| m.id == id)
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| !m.learner)
    }

    pub(crate) fn is_voter(&self) -> bool {
        self.entry(self.member).is_some_and(|m| !m.learner)
    }

    /// How much of this log `other` shares.
    pub(crate) fn matches(&self, other: &Self) -> usize {
        let mut length = self.log.len().min(other.log.len());
        while length > 0 && self.log[length - 1].term != other.log[length - 1].term {
            length -= 1;
        }
        length
    }

    /// Takes over the leader's log, at most `limit` entries beyond what both share. Anything else that was there was never committed.
    pub(crate) fn follow(&mut self, leader: &Self, limit: usize) {
        if !self.has_base {
            self.has_base = true;
            self.base = Arc::clone(&leader.base);
            self.writes = (*leader.base).clone();
            self.members = Arc::default();
        }
        let shared = self.matches(leader);
        if shared == leader.log.len() && shared == self.log.len() {
            return;
        }
        self.log.truncate(shared.max(self.commit));
        let from = self.log.len();
        let to = leader.log.len().min(from.saturating_add(limit));
        self.log.extend_from_slice(&leader.log[from..to]);
    }

    /// Applies what is committed; true if this member's own removal was among it.
    pub(crate) fn apply(&mut self) -> bool {
        let mut own_end = false;
        while self.applied < self.commit.min(self.log.len()) {
            let change = self.log[self.applied].change.clone();
            self.applied += 1;
            own_end |= matches!(change, Change::Remove(id) if id == self.member);
            self.take(change);
        }
        own_end
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Nothing => {}
            Change::Put(number) => self.writes.insert(number),
            Change::Publish(id, name, url) => self.edit(id, |m| {
                m.name = Some(name);
                m.client_url = Some(url);
            }),
            Change::Add(member) => Arc::make_mut(&mut self.members).push((*member).clone()),
            Change::Promote(id) => self.edit(id, |m| m.learner = false),
            Change::Remove(id) => {
                Arc::make_mut(&mut self.members).retain(|m| m.id != id);
                self.removed.push(id);
            }
        }
    }

    fn edit(&mut self, id: MemberId, how: impl FnOnce(&mut Member)) {
        if let Some(member) = Arc::make_mut(&mut self.members).iter_mut().find(|m| m.id == id) {
            how(member);
        }
    }

    /// Whether a membership change is in the log but not applied: raft takes one at a time.
    pub(crate) fn membership_pending(&self) -> bool {
        self.log[self.applied..].iter().any(|e| e.change.is_membership())
    }
}
