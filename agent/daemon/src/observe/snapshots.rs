//! Snapshots: what the store holds, and what is being done here.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::observation::SnapshotsView;
use quorate_core::snapshot::SharedListing;
use quorate_core::sources::{Source, Sources};
use quorate_core::time::Timestamp;

use super::last::Last;
use crate::snapshot::Snapshots;
use crate::telemetry::chain;

/// The pause between reads of the list while nothing changes: a LIST a minute costs little, and only the leader's agent acts on it.
const PAUSE_STEADY: Duration = Duration::from_secs(60);
/// The pause otherwise.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct SnapshotsObserver {
    snapshots: Option<Arc<Snapshots>>,
    stored: Last<SharedListing>,
    /// When the last one taken here ended: the list is read again after it.
    ended: Option<Timestamp>,
}

impl SnapshotsObserver {
    pub(super) fn new(snapshots: Option<Arc<Snapshots>>) -> Self {
        Self { snapshots, stored: Last::default(), ended: None }
    }

    pub(super) async fn look(&mut self, steady: bool, now: Timestamp) {
        let Some(snapshots) = &self.snapshots else { return };
        let ended = snapshots.taken().map(|taken| taken.at);
        if ended != self.ended {
            self.ended = ended;
            self.stored.expire();
        }
        let pause = if steady { PAUSE_STEADY } else { PAUSE };
        if self.stored.is_due(now, pause) {
            let listed = snapshots.store().list().await;
            self.stored.take(listed.map(Arc::new).map_err(|error| chain(&error)), now);
        }
    }

    /// Reports the result of this look's list.
    pub(super) fn tell(&self, sources: &mut Sources, now: Timestamp) {
        self.stored.tried(now).into_iter().for_each(|result| sources.note(Source::Store, "snapshots", result, now));
    }

    /// Some were deleted.
    pub(super) fn may_have_changed(&mut self) {
        self.stored.expire();
    }

    pub(super) fn view(&self, steady: bool, now: Timestamp) -> SnapshotsView {
        let Some(snapshots) = &self.snapshots else { return SnapshotsView::none("snapshots are switched off, or no store is configured") };
        // An old list must not decide which snapshot a lost cluster is restored from.
        let limit = if steady { PAUSE_STEADY } else { PAUSE * 2 } * 3 / 2;
        let stored = self.stored.reading(now, limit, "the snapshots were not listed yet");
        let (fetched, fetch_failed) = snapshots.fetched();
        SnapshotsView {
            stored,
            taking: snapshots.taking(),
            taken: snapshots.taken(),
            fetching: snapshots.fetching(),
            fetched,
            fetch_failed,
            drills: snapshots.drills(),
        }
    }
}
