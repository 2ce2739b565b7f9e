//! The snapshot that is being taken beside the loop: at most one at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::ids::SnapshotKey;
use quorate_core::observation::{Drills, FetchFailure, Fetching, Me, Saved as InStore, Taken, Taking};
use quorate_core::plan::Outcome;
use quorate_core::snapshot::{SnapshotOrder, Trigger};
use quorate_core::time::Timestamp;
use tokio::sync::watch;
use tracing::{Instrument, info, warn};

use super::{DrillPlace, Progress, Saved, SnapshotError, fetch, save, verify};
use crate::adapters::etcd::Etcd;
use crate::adapters::object_store::SharedSnapshots;
use crate::clock::Clock;
use crate::messages;
use crate::telemetry::chain;

/// See the module.
#[derive(Debug)]
pub struct Snapshots {
    pub(super) store: SharedSnapshots,
    etcd: Arc<Etcd>,
    me: Me,
    pub(super) clock: Clock,
    /// Where snapshots are put on this disk.
    pub(super) places: Places,
    work: Mutex<Work>,
}

/// Where snapshots are put on this disk.
#[derive(Clone, Debug)]
pub struct Places {
    /// For those to be restored.
    pub fetched: PathBuf,
    /// For those restored in drills.
    pub drill: Arc<DrillPlace>,
}

#[derive(Debug, Default)]
pub(super) struct Work {
    taking: Option<(Taking, watch::Receiver<Progress>)>,
    taken: Option<Taken>,
    fetching: Option<(SnapshotKey, watch::Receiver<Progress>)>,
    fetched: Option<SnapshotKey>,
    fetch_failed: Option<(SnapshotKey, Timestamp, FetchFailure)>,
    pub(super) drills: Drills,
}

impl Snapshots {
    /// Nothing is under way yet.
    #[must_use]
    pub fn new(store: SharedSnapshots, etcd: Arc<Etcd>, me: Me, clock: Clock, places: Places) -> Self {
        let work = Work { fetched: fetch::found(&places.fetched), drills: places.drill.recall(), ..Work::default() };
        Self { store, etcd, me, clock, places, work: Mutex::new(work) }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &SharedSnapshots {
        &self.store
    }

    /// Begins to take one; [`Snapshots::taking`] shows its progress, and [`Snapshots::taken`] its result.
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
            let result = this.take(&order, &tell).await;
            this.end(&order, result);
        };
        tokio::spawn(work.in_current_span());
        Outcome::Done
    }

    /// Takes one. The last voter's is all that will be left of its cluster, so every byte of it is read again before it counts.
    async fn take(&self, order: &SnapshotOrder, tell: &watch::Sender<Progress>) -> Result<Saved, SnapshotError> {
        let saved = save((&self.etcd, &self.store), order, &self.me, self.clock.now(), tell).await?;
        if order.trigger == Trigger::Final {
            verify(&self.store, &saved.key, &saved.manifest, tell, None).await?;
        }
        Ok(saved)
    }

    /// Begins to fetch one; [`Snapshots::fetching`] shows its progress.
    pub fn begin_fetch(self: &Arc<Self>, key: &SnapshotKey) -> Outcome {
        let (tell, told) = watch::channel(Progress::default());
        {
            let mut work = self.lock();
            if work.fetching.is_some() {
                return Outcome::Done;
            }
            work.fetching = Some((key.clone(), told));
        }
        let (this, key) = (Arc::clone(self), key.clone());
        let work = async move {
            let result = fetch::fetch(&this.store, &key, &this.places.fetched, &tell).await;
            this.end_fetch(&key, result);
        };
        tokio::spawn(work.in_current_span());
        Outcome::Done
    }

    fn end_fetch(&self, key: &SnapshotKey, result: Result<(), SnapshotError>) {
        let mut work = self.lock();
        work.fetching = None;
        match result {
            Ok(()) => {
                info!(quorate.snapshot = %key, "snapshot {key} is on this disk, and every byte of it is proved");
                (work.fetched, work.fetch_failed) = (Some(key.clone()), None);
            }
            Err(error) => {
                warn!(message_id = messages::SNAPSHOT_FAILED, quorate.snapshot = %key, "snapshot {key} cannot be used: {}", chain(&error));
                work.fetch_failed = Some((key.clone(), self.clock.now(), fetch::failure(&error)));
            }
        }
    }

    /// Where the fetched snapshot lies.
    #[must_use]
    pub fn place(&self, key: &SnapshotKey) -> PathBuf {
        fetch::place(&self.places.fetched, key)
    }

    /// The one that is being fetched.
    #[must_use]
    pub fn fetching(&self) -> Option<Fetching> {
        let work = self.lock();
        let (key, told) = work.fetching.as_ref()?;
        let Progress { bytes, of } = *told.borrow();
        Some(Fetching { key: key.clone(), bytes, of: of.unwrap_or_default() })
    }

    /// The verified one on this disk, and the error of the last fetch, if it failed.
    #[must_use]
    pub fn fetched(&self) -> (Option<SnapshotKey>, Option<(SnapshotKey, Timestamp, FetchFailure)>) {
        let work = self.lock();
        (work.fetched.clone().filter(|key| self.place(key).exists()), work.fetch_failed.clone())
    }

    /// The one that is being taken.
    #[must_use]
    pub fn taking(&self) -> Option<Taking> {
        let work = self.lock();
        let (taking, told) = work.taking.as_ref()?;
        let Progress { bytes, of } = *told.borrow();
        Some(Taking { bytes, of, ..*taking })
    }

    /// The result of the last one.
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
        let saved = |saved: Saved| InStore { key: saved.key, revision: saved.manifest.revision };
        work.taken = Some(Taken { trigger, since, at, result: result.map(saved).map_err(|error| chain(&error)) });
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
