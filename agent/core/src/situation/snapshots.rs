//! How old the newest snapshot is.

use std::time::Duration;

use crate::charter::{Record, State};
use crate::time::Timestamp;

use super::Situation;

impl<'a> Situation<'a> {
    /// The record of the cluster that snapshots are to be there of: they are wanted, there is a store, and the generation is established.
    #[must_use]
    pub fn record_to_snapshot(&self) -> Option<&'a Record> {
        self.record().filter(|r| r.state == State::Established && self.policy.snapshots.enabled && self.has_store())
    }

    /// Since when the newest snapshot of this generation has been there, by this node's own clock: one that it took itself it need not see in the list
    /// first.
    #[must_use]
    pub fn newest_snapshot_at(&self) -> Option<Timestamp> {
        let own = self.seen.snapshots.taken.as_ref().filter(|t| t.result.is_ok()).map(|t| t.at);
        self.memory.newest_snapshot.as_ref().map(|(_, at)| *at).max(own)
    }

    /// How old the newest is, or for how long there has been none to this agent's knowledge, if that is longer than twice its interval.
    #[must_use]
    pub fn snapshot_overdue(&self) -> Option<Duration> {
        self.record_to_snapshot()?;
        let age = self.now.since(self.newest_snapshot_at().unwrap_or(self.memory.started));
        (age > self.policy.snapshots.interval * 2).then_some(age)
    }
}
