//! The lab's clock: the only place that reads one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quorate_core::time::Timestamp;

/// Wall-clock time that never steps back, and that a test can move forward.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    wall: Timestamp,
    skipped: Arc<AtomicU64>,
}

impl Clock {
    /// A clock that shows the time of day now and runs steadily from here.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one module of the lab that reads the clock")]
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), wall: Timestamp::default() + wall, skipped: Arc::default() }
    }

    /// What time it is.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one module of the lab that reads the clock")]
    pub fn now(&self) -> Timestamp {
        self.wall + self.start.elapsed() + Duration::from_millis(self.skipped.load(Ordering::Relaxed))
    }

    /// Moves the clock, and all its clones, forward.
    pub fn skip(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.skipped.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
