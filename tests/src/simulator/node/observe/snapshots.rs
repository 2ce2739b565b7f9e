//! Snapshots: what the store holds, read as seldom as the daemon reads it, and what is under way here.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::charter::State;
use quorate_core::observation::{Drilled, Process};
use quorate_core::reading::Reading;
use quorate_core::role::Role;

use super::super::Agent;
use crate::simulator::world::World;

/// Between two calls while something changes; the rest is the schedule's.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a restore on trial takes.
const DRILL: Duration = Duration::from_secs(7);

impl World {
    /// Snapshots are taken where a member can be; a worker's agent knows of none.
    pub(crate) fn takes_snapshots(&self, n: usize) -> bool {
        self.policy.snapshots.enabled && self.nodes[n].me.role != Role::Worker
    }

    pub(super) fn observe_snapshots(&mut self, n: usize, agent: &mut Agent) -> bool {
        if !self.takes_snapshots(n) {
            return false;
        }
        self.observe_upload(n, agent);
        self.observe_drill(n, agent);
        agent.seen.snapshots.fetched.clone_from(&self.nodes[n].disk.fetched);
        let (now, listed) = (self.now, &mut agent.listed);
        let pause = if listed.steady { self.schedule.listing } else { PAUSE };
        let is_due = listed.tried.is_none_or(|at| now.since(at) >= pause);
        let answers = is_due && !self.nodes[n].store_down && !self.luck.chance(self.weather.misses);
        if is_due {
            listed.tried = Some(now);
        }
        if answers {
            listed.value = Some((Arc::clone(self.store.snapshots().listing()), now));
        }
        agent.seen.snapshots.stored = match &listed.value {
            Some((listing, at)) => Reading::aged(Arc::clone(listing), *at, now, self.schedule.listing * 3 / 2),
            None => Reading::unknown("the store does not answer"),
        };
        is_due && !answers
    }

    /// It takes a while, and fails if the snapshot was deleted meanwhile.
    fn observe_drill(&mut self, n: usize, agent: &mut Agent) {
        let (now, listing) = (self.now, Arc::clone(self.store.snapshots().listing()));
        let drills = &mut self.nodes[n].uploads.drills;
        if let Some((key, _)) = drills.running.take_if(|(_, since)| now.since(*since) >= DRILL) {
            let revision = listing.get(&key).map(|stored| stored.manifest.revision);
            let failed = revision.is_none().then(|| "it no longer exists".to_owned());
            drills.end(Drilled { key, revision: revision.unwrap_or(0), at: now, failed });
        }
        agent.seen.snapshots.drills.clone_from(drills);
    }

    /// The list is read again once a snapshot of its own has ended.
    fn observe_upload(&self, n: usize, agent: &mut Agent) {
        let uploads = &self.nodes[n].uploads;
        agent.seen.snapshots.taking = uploads.taking.as_ref().map(|upload| upload.seen(self.now));
        let ended = uploads.taken.as_ref().map(|taken| taken.at);
        if ended != agent.listed.ended {
            agent.seen.snapshots.taken.clone_from(&uploads.taken);
            (agent.listed.ended, agent.listed.tried) = (ended, None);
        }
    }
}

/// As the daemon has it (`observe/mod.rs`, `is_steady`): this node votes in an established cluster, serves, and no node is joining or leaving.
pub(super) fn is_steady(agent: &Agent) -> bool {
    let (seen, memory) = (&agent.seen, agent.memory());
    let stands = matches!(memory.kept.record.as_ref().map(|r| &r.state), Some(State::Established));
    let membership = seen.etcd.membership.fresh();
    let votes = membership.is_some_and(|m| m.learner().is_none() && m.voters().any(|v| v.name.as_ref() == Some(&seen.me.instance)));
    let serves = matches!(seen.local.process.fresh(), Some(Process::Running { loopback_only: false, .. }));
    stands && votes && serves && memory.leaving.is_none() && memory.kept.order.is_none()
}
