//! `[snapshot]`: when snapshots are taken, and which are kept.

use std::time::Duration;

use quorate_core::policy::SnapshotPolicy;
use quorate_core::snapshot::retention::Retention;

use super::check::whole;
use super::file::Snapshot;
use super::{Refusal, timing};

const DAY: f64 = 86_400.0;
const HOUR: Duration = Duration::from_secs(3600);

/// Checks the section.
///
/// # Errors
/// The first value outside its limits, or one that does not fit another.
pub(super) fn policy(raw: &Snapshot) -> Result<SnapshotPolicy, Refusal> {
    let default = SnapshotPolicy::default();
    let seconds = |key, value: Option<f64>, limits, default| value.map_or(Ok(default), |value| timing::duration(key, value, limits));
    let policy = SnapshotPolicy {
        enabled: raw.enabled.unwrap_or(default.enabled),
        interval: seconds("snapshot.interval_s", raw.interval_s, 1.0..=7.0 * DAY, default.interval)?,
        recent: seconds("snapshot.recent_s", raw.recent_s, 0.0..=DAY, default.recent)?,
        change_patience: seconds("snapshot.change_patience_s", raw.change_patience_s, 0.0..=3600.0, default.change_patience)?,
        retry: seconds("snapshot.retry_s", raw.retry_s, 1.0..=DAY, default.retry)?,
        retention: retention(raw)?,
        drill_interval: seconds("snapshot.drill_interval_s", raw.drill_interval_s, 0.0..=366.0 * DAY, Duration::ZERO).map(some)?,
    };
    if policy.recent > policy.interval {
        let remedy = format!("give at most snapshot.interval_s ({:?}): a snapshot that is due anyway is not recent", policy.interval);
        return Err(Refusal::value("snapshot.recent_s", format!("{:?}", policy.recent), remedy));
    }
    Ok(policy)
}

/// 0 is never.
fn some(interval: Duration) -> Option<Duration> {
    (!interval.is_zero()).then_some(interval)
}

fn retention(raw: &Snapshot) -> Result<Retention, Refusal> {
    let default = Retention::default();
    let span = |key, value, most, unit: Duration, default| -> Result<Duration, Refusal> {
        let count = whole(key, value, 0..=most)?.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        Ok(count.map_or(default, |count| unit * count))
    };
    let at_least = whole("snapshot.keep_at_least", raw.keep_at_least, 1..=1000)?;
    Ok(Retention {
        all: span("snapshot.keep_all_hours", raw.keep_all_hours, 24 * 365, HOUR, default.all)?,
        hourly: span("snapshot.keep_hourly_days", raw.keep_hourly_days, 3650, HOUR * 24, default.hourly)?,
        daily: span("snapshot.keep_daily_weeks", raw.keep_daily_weeks, 520, HOUR * 24 * 7, default.daily)?,
        at_least: at_least.and_then(|count| usize::try_from(count).ok()).unwrap_or(default.at_least),
    })
}
