//! `[timing]`: each duration within its own limits, then the rules between them.

use std::ops::RangeInclusive;
use std::time::Duration;

use quorate_core::policy::Policy;

use super::Refusal;
use super::file::Timing;

const DAY: f64 = 86_400.0;
const WEEK: f64 = 7.0 * DAY;

/// One key of `[timing]`: its name, its value, its limits in its own unit, and its place in the policy.
type Key = (&'static str, Option<f64>, RangeInclusive<f64>, fn(&mut Policy) -> &mut Duration);

/// Copies the durations into the policy.
///
/// # Errors
/// The first that is outside its limits. [`check`] checks the rules between them.
pub(super) fn apply(timing: &Timing, policy: &mut Policy) -> Result<(), Refusal> {
    for (key, value, limits, place) in keys(timing) {
        if let Some(value) = value {
            *place(policy) = duration(key, value, limits)?;
        }
    }
    Ok(())
}

fn keys(t: &Timing) -> [Key; 23] {
    [
        ("timing.cycle_s", t.cycle_s, 0.05..=60.0, |p| &mut p.cycle),
        ("timing.stale_after_s", t.stale_after_s, 0.1..=600.0, |p| &mut p.stale_after),
        ("timing.join_deadline_s", t.join_deadline_s, 1.0..=DAY, |p| &mut p.join_deadline),
        ("timing.learner_patience_s", t.learner_patience_s, 1.0..=DAY, |p| &mut p.learner_patience),
        ("timing.prune_grace_s", t.prune_grace_s, 1.0..=DAY, |p| &mut p.prune_grace),
        ("timing.replacement_patience_s", t.replacement_patience_s, 1.0..=DAY, |p| &mut p.replacement_patience),
        ("timing.stand_in_after_s", t.stand_in_after_s, 1.0..=DAY, |p| &mut p.stand_in_after),
        ("timing.wait_patience_s", t.wait_patience_s, 1.0..=DAY, |p| &mut p.wait_patience),
        ("timing.broken_window_s", t.broken_window_s, 1.0..=DAY, |p| &mut p.broken_window),
        ("timing.quorum_loss_grace_s", t.quorum_loss_grace_s, 1.0..=WEEK, |p| &mut p.quorum_loss_grace),
        ("timing.rank_delay_s", t.rank_delay_s, 0.01..=600.0, |p| &mut p.rank_delay),
        ("timing.unknown_is_gone_after_s", t.unknown_is_gone_after_s, 1.0..=WEEK, |p| &mut p.unknown_is_gone_after),
        ("timing.aws_cadence_s", t.aws_cadence_s, 1.0..=DAY, |p| &mut p.aws_cadence),
        ("timing.aws_hurry_s", t.aws_hurry_s, 0.1..=3600.0, |p| &mut p.aws_hurry),
        ("timing.cloud_fresh_s", t.cloud_fresh_s, 0.1..=DAY, |p| &mut p.cloud_fresh),
        ("timing.frozen_after_s", t.frozen_after_s, 1.0..=DAY, |p| &mut p.frozen_after),
        ("timing.unhooked_leave_s", t.unhooked_leave_s, 1.0..=3600.0, |p| &mut p.unhooked_leave),
        ("timing.lock_ttl_s", t.lock_ttl_s, 2.0..=600.0, |p| &mut p.lock_ttl),
        ("timing.call_timeout_s", t.call_timeout_s, 0.1..=60.0, |p| &mut p.call_timeout),
        ("timing.retry_ms", t.retry_ms, 10.0..=60_000.0, |p| &mut p.retry),
        ("timing.shutdown_budget_s", t.shutdown_budget_s, 1.0..=1_800.0, |p| &mut p.shutdown_budget),
        ("timing.scheduled_lead_s", t.scheduled_lead_s, 60.0..=WEEK, |p| &mut p.scheduled_lead),
        ("timing.leave_margin_s", t.leave_margin_s, 0.1..=600.0, |p| &mut p.leave_margin),
    ]
}

/// A number in the unit that its key ends in, as a duration.
///
/// # Errors
/// It is outside its limits, or not a number at all (TOML has `nan`).
pub(super) fn duration(key: &str, value: f64, limits: RangeInclusive<f64>) -> Result<Duration, Refusal> {
    let (unit, factor) = if key.ends_with("_ms") { ("milliseconds", 0.001) } else { ("seconds", 1.0) };
    let (least, most) = (limits.start(), limits.end());
    let refusal = || Refusal::value(key, value, format!("give a number of {unit} from {least} to {most}"));
    if !limits.contains(&value) {
        return Err(refusal());
    }
    Duration::try_from_secs_f64(value * factor).map_err(|_| refusal())
}

/// Refuses durations that contradict each other.
///
/// # Errors
/// The first rule that does not hold.
pub(super) fn check(policy: &Policy, aws_call: Duration) -> Result<(), Refusal> {
    let rule = |holds: bool, key: &str, value: Duration, remedy: String| match holds {
        true => Ok(()),
        false => Err(Refusal::value(key, format!("{value:?}"), remedy)),
    };
    let p = policy;
    rule(p.stale_after >= p.cycle, "timing.stale_after_s", p.stale_after, {
        format!("give at least timing.cycle_s ({:?}), or every reading is stale before the next look", p.cycle)
    })?;
    // The planner renews the lock at half its time, so half of it must outlast the call that it covers.
    rule(p.lock_ttl > p.call_timeout * 2, "timing.lock_ttl_s", p.lock_ttl, {
        format!("give more than twice timing.call_timeout_s ({:?}), or the lock can run out during the change it covers", p.call_timeout)
    })?;
    rule(p.lock_ttl.subsec_nanos() == 0, "timing.lock_ttl_s", p.lock_ttl, "give whole seconds: etcd counts leases in them".into())?;
    rule(p.prune_grace >= p.stale_after, "timing.prune_grace_s", p.prune_grace, {
        format!("give at least timing.stale_after_s ({:?}), or a voter counts as silent while its last answer is fresh", p.stale_after)
    })?;
    rule(p.learner_patience <= p.join_deadline, "timing.learner_patience_s", p.learner_patience, {
        format!("give at most timing.join_deadline_s ({:?}), after which the joining node has given up anyway", p.join_deadline)
    })?;
    rule(p.aws_hurry <= p.aws_cadence, "timing.aws_hurry_s", p.aws_hurry, {
        format!("give at most timing.aws_cadence_s ({:?}): hurrying cannot be slower than the slow cadence", p.aws_cadence)
    })?;
    rule(p.cloud_fresh >= p.aws_hurry, "timing.cloud_fresh_s", p.cloud_fresh, {
        format!("give at least timing.aws_hurry_s ({:?}), or what AWS said is too old before it is asked again", p.aws_hurry)
    })?;
    rule(p.leave_margin >= aws_call, "timing.leave_margin_s", p.leave_margin, {
        format!("give at least aws.call_timeout_s ({aws_call:?}), or the hook may run out while it is being completed")
    })
}
