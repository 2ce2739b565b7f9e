//! The one place that reads a clock. Everything else gets the time from here.

use std::time::Duration;

use quorate_core::time::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// For tests: the number of seconds by which this node's wall clock is off, as if it had been set wrong.
const VARIABLE: &str = "QUORATE_CLOCK_OFF_S";

/// The wall clock as it was at the start, advanced by `CLOCK_BOOTTIME`.
///
/// It never steps back or jumps when the wall clock is set, and it counts suspended time: leases and deadlines keep running while the machine sleeps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall_at_start: Duration,
    boot_at_start: Duration,
    off_s: i64,
}

impl Clock {
    /// Anchors the clock. Call it once: two clocks of one process differ if the wall clock was set in between.
    #[must_use]
    pub fn start() -> Self {
        let off = std::env::var(VARIABLE).ok().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
        Self { wall_at_start: moved(read(ClockId::Realtime), off), boot_at_start: read(ClockId::Boottime), off_s: off }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at(read(ClockId::Boottime))
    }

    /// The wall clock as it is now, which certificates are dated by.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        Timestamp(0) + moved(read(ClockId::Realtime), self.off_s)
    }

    /// The time at which `CLOCK_MONOTONIC` had this value; systemd dates its actions by that clock.
    #[must_use]
    pub fn at_monotonic(&self, then: Duration) -> Timestamp {
        self.now() - read(ClockId::Monotonic).saturating_sub(then)
    }

    fn at(&self, boot: Duration) -> Timestamp {
        Timestamp(0) + self.wall_at_start + boot.saturating_sub(self.boot_at_start)
    }
}

fn moved(time: Duration, by_seconds: i64) -> Duration {
    let by = Duration::from_secs(by_seconds.unsigned_abs());
    if by_seconds < 0 { time.saturating_sub(by) } else { time + by }
}

/// Reads a clock. A time before 1970, which would be negative, counts as 1970.
fn read(clock: ClockId) -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    Duration::new(u64::try_from(tv_sec).unwrap_or_default(), u32::try_from(tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_by_the_boot_clock_from_the_wall_clock_of_the_start() {
        let clock = Clock { wall_at_start: Duration::from_secs(1_000_000), boot_at_start: Duration::from_secs(50), off_s: 0 };
        assert_eq!(clock.at(Duration::from_secs(50)), Timestamp(1_000_000_000));
        assert_eq!(clock.at(Duration::from_millis(51_250)), Timestamp(1_000_001_250));
    }

    #[test]
    fn a_clock_may_be_off_in_either_direction() {
        let day = Duration::from_secs(86_400);
        assert_eq!((moved(day * 2, -86_400), moved(day, 86_400), moved(day, -100_000)), (day, day * 2, Duration::ZERO));
    }

    #[test]
    fn it_starts_near_the_wall_clock_and_never_goes_back() {
        let before = read(ClockId::Realtime).as_millis();
        let clock = Clock::start();
        let first = clock.now();
        assert!(u128::from(first.0).abs_diff(before) < 60_000, "{first} is not near {before} ms");
        assert!(clock.now() >= first);
    }
}
