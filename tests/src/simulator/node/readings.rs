//! Readings as a daemon keeps them: the last value of each, with its age.

use std::time::Duration;

use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

/// Marks a value that was read too long ago.
pub(crate) fn age<T>(reading: &mut Reading<T>, now: Timestamp, limit: Duration) {
    if matches!(reading, Reading::Fresh(_, at) if now.since(*at) > limit) {
        let old = std::mem::replace(reading, Reading::unknown(""));
        if let Reading::Fresh(value, at) = old {
            *reading = Reading::Stale(value, at);
        }
    }
}

/// The same value was read again.
pub(crate) fn confirm<T>(reading: &mut Reading<T>, now: Timestamp) {
    match std::mem::replace(reading, Reading::unknown("")) {
        Reading::Fresh(value, _) | Reading::Stale(value, _) => *reading = Reading::Fresh(value, now),
        unknown @ Reading::Unknown(_) => *reading = unknown,
    }
}

/// No answer came: the previous value stays, with its age; without one there is only the reason.
pub(crate) fn failed<T>(reading: &mut Reading<T>, now: Timestamp, limit: Duration, why: &'static str) {
    match reading {
        Reading::Unknown(_) => *reading = Reading::unknown(why),
        Reading::Fresh(..) | Reading::Stale(..) => age(reading, now, limit),
    }
}
