//! The one region behind all the endpoints.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::time::Timestamp;

use super::Clock;
use crate::region::Region;

/// A region in real time, shared.
#[derive(Clone, Debug)]
pub struct RegionHandle {
    region: Arc<Mutex<Region>>,
    clock: Clock,
}

impl RegionHandle {
    /// Puts a region on the clock.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Self { region: Arc::new(Mutex::new(region)), clock: Clock::new() }
    }

    /// Does something with the region now. The resulting events reach the host with the driver's next turn.
    pub fn with<T>(&self, act: impl FnOnce(&mut Region, Timestamp) -> T) -> T {
        let (mut region, now) = (self.lock(), self.now());
        region.settle(now);
        act(&mut region, now)
    }

    /// The region itself. Never hold it across an await: every endpoint needs it.
    pub fn lock(&self) -> MutexGuard<'_, Region> {
        // A test that failed while it held the lock leaves nothing half-done that would break the others.
        self.region.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What time it is in the region.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the region's time forward: hour-long timeouts without the hours.
    pub fn skip(&self, by: Duration) {
        self.clock.skip(by);
    }
}
