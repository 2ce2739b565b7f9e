//! What has lasted: a naive reader goes through everything that the node saw since its agent started.

use std::rc::Rc;

use quorate_core::ids::MemberId;
use quorate_core::observation::{Member, Observation, Process, Saved};
use quorate_core::snapshot::Trigger;
use quorate_core::time::Timestamp;

use super::facts::Facts;
use crate::property::world::World;

/// An agent that has not looked for longer than this counts as away.
const AWAY_MS: u64 = 12_000;

/// What happens to the time in which the agent was away.
#[derive(Clone, Copy)]
enum Away {
    Counts,
    IsSkipped,
    Breaks,
}

impl Facts<'_> {
    /// What a reader finds in each look, the newest first. The same look is not read twice.
    fn looks<T: Clone>(&self, find: impl Fn(&Facts<'_>) -> T) -> impl Iterator<Item = (T, Timestamp)> {
        let mut last: Option<(Rc<Observation>, T)> = None;
        self.w.past.iter().rev().map(move |(seen, at)| {
            let known = last.as_ref().filter(|(known, _)| Rc::ptr_eq(known, seen)).map(|(_, found)| found.clone());
            let found = known.unwrap_or_else(|| find(&Facts::new(&World { seen: (**seen).clone(), past: Vec::new(), ..self.w.clone() })));
            last = Some((Rc::clone(seen), found.clone()));
            (found, *at)
        })
    }

    /// Since when something has held at every look.
    fn held_since(&self, away: Away, holds: impl Fn(&Facts<'_>) -> bool) -> Option<Timestamp> {
        if !holds(self) {
            return None;
        }
        let (mut since, mut later) = (self.w.now, self.w.now);
        for (held, at) in self.looks(holds) {
            let gap = later.0 - at.0;
            if !held || (gap > AWAY_MS && matches!(away, Away::Breaks)) {
                break;
            }
            let counted = if matches!(away, Away::IsSkipped) { gap.min(AWAY_MS) } else { gap };
            (since, later) = (Timestamp(since.0 - counted), at);
        }
        Some(since)
    }

    /// Since when this node has had a notice or an order to leave.
    pub(crate) fn told_since(&self) -> Option<Timestamp> {
        self.held_since(Away::Counts, |f| f.is_told_to_leave())
    }

    /// Since when its member has led by a quorum's word.
    pub(crate) fn led_since(&self) -> Option<Timestamp> {
        let leader = |f: &Facts<'_>| f.w.seen.etcd.membership.fresh().and_then(|m| m.leader);
        let now = leader(self).filter(|leader| self.own_member() == Some(*leader))?;
        self.held_since(Away::Breaks, |f| leader(f) == Some(now))
    }

    /// Since when its own member has answered without a leader, too few of its list's voters have been left, and no quorum has answered.
    pub(crate) fn lost_since(&self) -> Option<Timestamp> {
        self.held_since(Away::IsSkipped, |f| {
            let alone = f.own_member().and_then(|id| f.w.seen.etcd.statuses.get(&id)?.fresh()).is_some_and(|s| s.leader.is_none());
            let Some(list) = f.w.seen.etcd.local_list.fresh() else { return false };
            let voters: Vec<&Member> = list.iter().filter(|m| !m.learner).collect();
            let left = voters.iter().filter(|m| f.is_own_entry(m) || !f.is_lost(m)).count();
            alone && f.members().is_err() && 2 * left <= voters.len()
        })
    }

    fn is_own_entry(&self, m: &Member) -> bool {
        let me = &self.w.seen.me;
        m.name.as_ref() == Some(&me.instance) || m.peer_url.is_of(me.address) || self.own_member() == Some(m.id)
    }

    /// The learner has applied nothing new for five minutes, and was at no time in these level with the leader while its agent answered.
    pub(crate) fn is_stuck(&self, learner: MemberId) -> bool {
        let now = self.standing_of(learner);
        let (mut since, mut later, mut lowest) = (self.w.now, self.w.now, now.applied);
        let mut stands = now.listed && !now.level;
        for (before, at) in self.looks(|f| f.standing_of(learner)) {
            // A learner that had applied less before has moved since.
            let moved = lowest > before.applied;
            stands &= before.listed && !before.level && !moved;
            if !stands {
                break;
            }
            lowest = lowest.or(before.applied);
            since = Timestamp(since.0 - (later.0 - at.0).min(AWAY_MS));
            later = at;
        }
        now.listed && !now.level && self.w.now.0 - since.0 >= 300_000 - 2 * AWAY_MS
    }

    fn standing_of(&self, learner: MemberId) -> Standing {
        let applied = self.w.seen.etcd.statuses.get(&learner).and_then(|s| s.fresh()).map(|s| s.applied);
        let leader = self.w.seen.etcd.membership.fresh().and_then(|m| m.leader);
        let index = leader.and_then(|id| self.w.seen.etcd.statuses.get(&id)?.fresh()).map(|s| s.index);
        let owner = self.entry(learner).and_then(|m| self.owner_of(&m));
        let answers = owner.is_some_and(|id| self.w.seen.peers.get(&id).is_some_and(|p| p.fresh().is_some()));
        Standing {
            listed: self.learners().is_ok_and(|learners| learners.first() == Some(&learner)),
            applied,
            level: answers && index.zip(applied).is_some_and(|(index, applied)| index <= applied + 500),
        }
    }

    /// When etcd was last seen running, no client could write, and the agent's last snapshot had been begun since it ran that way.
    pub(crate) fn covers_all(&self, names: impl Fn(&Saved) -> bool) -> bool {
        let last = |f: &Facts<'_>| {
            let Some(Process::Running { since, loopback_only }) = f.w.seen.local.process.fresh() else { return None };
            let taken = f.w.seen.snapshots.taken.as_ref().filter(|t| t.trigger == Trigger::Final && t.since >= *since);
            let saved = taken.and_then(|t| t.result.as_ref().ok()).is_some_and(&names);
            Some(saved && (*loopback_only || (f.members().is_err() && f.lists_others())))
        };
        last(self).or_else(|| self.looks(last).find_map(|(covered, _)| covered)).unwrap_or(false)
    }

    /// Others vote, by its own member's list or else by the charter.
    fn lists_others(&self) -> bool {
        let me = &self.w.seen.me.instance;
        match self.w.seen.etcd.local_list.fresh() {
            Some(list) => list.iter().any(|m| !m.learner && !self.is_own_entry(m)),
            None => self.w.memory.kept.record.as_ref().is_some_and(|r| r.voters.iter().any(|v| v.instance != *me)),
        }
    }
}

/// A learner at one look.
#[derive(Clone, Copy)]
struct Standing {
    listed: bool,
    applied: Option<u64>,
    level: bool,
}
