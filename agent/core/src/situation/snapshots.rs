//! The age of the newest snapshot, and of the last one that was restored on trial.

use std::time::Duration;

use crate::charter::{Record, State};
use crate::time::Timestamp;

use super::Situation;

impl<'a> Situation<'a> {
    /// The record of the cluster that is to have snapshots: they are wanted, there is a store, and the generation is established.
    #[must_use]
    pub fn record_to_snapshot(&self) -> Option<&'a Record> {
        self.record().filter(|r| r.state == State::Established && self.policy.snapshots.enabled && self.has_store())
    }

    /// Since when the newest snapshot of this generation has been there, by this node's own clock. One that this node took itself counts before it
    /// appears in the list.
    #[must_use]
    pub fn newest_snapshot_at(&self) -> Option<Timestamp> {
        let own = self.seen.snapshots.taken.as_ref().filter(|t| t.result.is_ok()).map(|t| t.at);
        self.memory.snapshots.newest.as_ref().map(|(_, at)| *at).max(own)
    }

    /// The age of the newest snapshot, or for how long this agent has known of none, if that is longer than twice its interval.
    #[must_use]
    pub fn snapshot_overdue(&self) -> Option<Duration> {
        self.record_to_snapshot()?;
        let age = self.now.since(self.newest_snapshot_at().unwrap_or(self.memory.started));
        (age > self.policy.snapshots.interval * 2).then_some(age)
    }

    /// Whether this is the node that restores snapshots on trial: the voter with the lowest id that does not lead. On the leader's disk every write of
    /// the cluster would wait behind the drill's, so a leader drills only where it is the only voter.
    #[must_use]
    pub fn drills(&self) -> bool {
        let Some(membership) = self.membership() else { return false };
        let followers = membership.voters().filter(|v| membership.leader.is_some_and(|leader| v.id != leader));
        match followers.filter_map(|v| v.name.as_ref()).min() {
            Some(lowest) => lowest == self.me(),
            None => self.leads() && membership.voters().count() == 1,
        }
    }

    /// For how long no drill has succeeded on this node, if drills are its duty and that is longer than twice the interval.
    #[must_use]
    pub fn drill_overdue(&self) -> Option<Duration> {
        let interval = self.policy.snapshots.drill_interval.filter(|_| self.record_to_snapshot().is_some() && self.drills())?;
        let proved = self.seen.snapshots.drills.proved.as_ref().map(|drilled| drilled.at);
        // Drills are not overdue on a node that has just been given the duty.
        let age = self.now.since(proved.max(Some(self.memory.started))?);
        (age > interval * 2).then_some(age)
    }
}
