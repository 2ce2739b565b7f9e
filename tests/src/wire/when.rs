//! Moments in the spellings of AWS.

use jiff::Timestamp as Moment;
use quorate_core::time::Timestamp;

fn moment(at: Timestamp) -> Moment {
    i64::try_from(at.0).ok().and_then(|millis| Moment::from_millisecond(millis).ok()).unwrap_or_default()
}

/// `2021-01-02T03:04:05.678Z`
pub(crate) fn millis(at: Timestamp) -> String {
    format!("{:.3}", moment(at))
}

/// `2021-01-02T03:04:05Z`
pub(super) fn seconds(at: Timestamp) -> String {
    format!("{:.0}", moment(at))
}

/// `21 Jan 2019 09:00:43 GMT`, as in scheduled events.
pub(super) fn scheduled(at: Timestamp) -> String {
    moment(at).strftime("%-d %b %Y %H:%M:%S GMT").to_string()
}

/// `Sat, 02 Jan 2021 03:04:05 GMT`, as in HTTP's headers.
pub(crate) fn http(at: Timestamp) -> String {
    moment(at).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
