//! The snapshot that is being taken beside the loop: at most one at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::observation::{Me, Taken, Taking};
use quorate_core::plan::Outcome;
use quorate_core::snapshot::SnapshotOrder;
use tokio::sync::watch;
use tracing::{Instrument, info, warn};

use super::{Progress, Saved, SnapshotError, save};
use crate::adapters::etcd::Etcd;
use crate::adapters::object_store::SharedSnapshots;
use crate::clock::Clock;
use crate::messages;
use crate::telemetry::chain;

/// See the module.
#[derive(Debug)]
pub struct Snapshots {
    store: SharedSnapshots,
    etcd: Arc<Etcd>,
    me: Me,
    clock: Clock,
    work: Mutex<Work>,
}

#[derive(Debug, Default)]
struct Work {
    taking: Option<(Taking, watch::Receiver<Progress>)>,
    taken: Option<Taken>,
}

impl Snapshots {
    /// Nothing at work yet.
    #[must_use]
    pub fn new(store: SharedSnapshots, etcd: Arc<Etcd>, me: Me, clock: Clock) -> Self {
        Self { store, etcd, me, clock, work: Mutex::default() }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &SharedSnapshots {
        &self.store
    }

    /// Begins to take one; how it gets on is seen by [`Snapshots::taking`], and what came of it by [`Snapshots::taken`].
    pub fn begin(self: &Arc<Self>, order: &SnapshotOrder) -> Outcome {
        let (tell, told) = watch::channel(Progress::default());
        {
            let mut work = self.lock();
            if work.taking.is_some() {
                return Outcome::Done;
            }
            let taking = Taking { trigger: order.trigger, since: self.clock.now(), bytes: 0, of: None };
            work.taking = Some((taking, told));
        }
        let (this, order) = (Arc::clone(self), order.clone());
        let work = async move {
            let result = save((&this.etcd, &this.store), &order, &this.me, this.clock.now(), &tell).await;
            this.end(&order, result);
        };
        tokio::spawn(work.in_current_span());
        Outcome::Done
    }

    /// The one that is being taken.
    #[must_use]
    pub fn taking(&self) -> Option<Taking> {
        let work = self.lock();
        let (taking, told) = work.taking.as_ref()?;
        let Progress { bytes, of } = *told.borrow();
        Some(Taking { bytes, of, ..*taking })
    }

    /// What came of the last one.
    #[must_use]
    pub fn taken(&self) -> Option<Taken> {
        self.lock().taken.clone()
    }

    fn end(&self, order: &SnapshotOrder, result: Result<Saved, SnapshotError>) {
        let at = self.clock.now();
        let mut work = self.lock();
        let since = work.taking.take().map_or(at, |(taking, _)| taking.since);
        let (trigger, took) = (order.trigger, at.since(since));
        match &result {
            Ok(Saved { key, manifest, .. }) => info!(
                message_id = messages::SNAPSHOT_TAKEN,
                quorate.snapshot = %key,
                "snapshot {key} is in the store: revision {}, {} bytes, after {took:.1?}", manifest.revision, manifest.size
            ),
            Err(error) => warn!(message_id = messages::SNAPSHOT_FAILED, "no snapshot ({trigger}) after {took:.1?}: {}", chain(error)),
        }
        work.taken = Some(Taken { trigger, at, result: result.map(|saved| saved.key).map_err(|error| chain(&error)) });
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
