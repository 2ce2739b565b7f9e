//! The restore drill on a schedule: the newest snapshot is restored on trial beside the loop, at most one at a time.

mod place;

use std::sync::Arc;

use quorate_core::ids::SnapshotKey;
use quorate_core::observation::{Drilled, Drills};
use quorate_core::plan::Outcome;
use quorate_core::time::Timestamp;
use tracing::{Instrument, error, info, warn};

use super::{SnapshotError, Snapshots};
use crate::adapters::host::{HostError, RestoreTool};
use crate::messages;
use crate::telemetry::chain;
pub use place::DrillPlace;
use place::Passed;

impl Snapshots {
    /// Begins a restore drill; [`Snapshots::drills`] shows its progress. Its beginning is recorded on the disk first: a drill that takes its agent down
    /// (memory, a disk that hangs) must not be repeated by each next agent.
    pub fn begin_drill(self: &Arc<Self>, key: &SnapshotKey, tool: Result<RestoreTool, HostError>) -> Outcome {
        let since = self.clock.now();
        let begun = self.change_drills(|drills| drills.running.is_none().then(|| drills.running = Some((key.clone(), since))).is_some());
        match begun {
            Ok(true) => {}
            Ok(false) => return Outcome::Done,
            Err(error) => {
                self.lock().drills.running = None;
                return Outcome::Refused(chain(&error));
            }
        }
        let (underway, key) = (Underway(Arc::clone(self)), key.clone());
        let work = async move {
            let this = &underway.0;
            let result = match tool {
                Ok(tool) => this.places.drill.drill(&this.store, &key, &tool).await,
                Err(source) => Err(SnapshotError::Trial { key: key.clone(), source }),
            };
            this.end_drill(key, since, result);
        };
        tokio::spawn(work.in_current_span());
        Outcome::Done
    }

    fn end_drill(&self, key: SnapshotKey, since: Timestamp, result: Result<Passed, SnapshotError>) {
        let at = self.clock.now();
        let took = at.since(since);
        match &result {
            Ok((revision, trial)) => info!(
                message_id = messages::SNAPSHOT_DRILLED,
                quorate.snapshot = %key,
                "snapshot {key} was restored on trial: revision {revision}, {} entries, after {took:.1?}", trial.entries
            ),
            Err(error) => error!(
                message_id = messages::SNAPSHOT_DRILL_FAILED,
                quorate.snapshot = %key,
                "snapshot {key} could not be restored on trial, after {took:.1?}: {}", chain(error)
            ),
        }
        let revision = result.as_ref().map_or(0, |(revision, _)| *revision);
        let drilled = Drilled { key, revision, at, failed: result.err().map(|error| chain(&error)) };
        if let Err(error) = self.change_drills(|drills| drills.end(drilled)) {
            warn!("what came of the trial is forgotten with this agent: {}", chain(&error));
        }
    }

    /// Changes what is known about drills, here and on the disk.
    fn change_drills<T>(&self, change: impl FnOnce(&mut Drills) -> T) -> Result<T, HostError> {
        let mut work = self.lock();
        let changed = change(&mut work.drills);
        self.places.drill.remember(&work.drills).map(|()| changed)
    }

    /// The drills made here.
    #[must_use]
    pub fn drills(&self) -> Drills {
        self.lock().drills.clone()
    }
}

/// A drill under way, until it or the agent ends.
struct Underway(Arc<Snapshots>);

impl Drop for Underway {
    /// An agent that is told to stop abandons it: the next one starts over, and nothing has failed. After a panic it stays recorded as begun, so this agent
    /// begins no other and the next one counts it as failed.
    fn drop(&mut self) {
        if self.0.drills().running.is_none() || std::thread::panicking() {
            return;
        }
        if let Err(error) = self.0.change_drills(|drills| drills.running = None) {
            warn!("the trial that is let go will pass for one that failed: {}", chain(&error));
        }
    }
}
