//! The wall clock, compared with the one that dates the answers of AWS.

use std::time::Duration;

use quorate_core::time::Timestamp;

use crate::systemd::{Bus, TimeDateProxy};

use super::finding::Finding;

/// A header is dated in whole seconds, and an answer takes a moment.
const NOTICEABLE: Duration = Duration::from_secs(5);
/// Beyond that AWS accepts no signature: <https://docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html>.
const TOLERATED: Duration = Duration::from_secs(300);

const NAME: &str = "clock";
const REMEDY: &str = "run chrony or systemd-timesyncd; Amazon's own time server is at 169.254.169.123";

/// Judges the local clock. `times`: a service, and its time and the local time when it answered.
pub(super) fn judge(times: Option<(&str, (Timestamp, Timestamp))>) -> Finding {
    let Some((service, (there, here))) = times else {
        return Finding::skipped(NAME, "AWS has not answered, so there is nothing to compare with");
    };
    let (off, which) = if here >= there { (here.since(there), "ahead of") } else { (there.since(here), "behind") };
    let found = format!("{:.1} s {which} the clock of {service}", off.as_secs_f64());
    match off {
        off if off >= TOLERATED => Finding::problem(NAME, format!("{found}: AWS refuses what is signed with it"), REMEDY),
        off if off >= NOTICEABLE => Finding::warning(NAME, found, REMEDY),
        _ => Finding::ok(NAME, format!("within {} s of the clock of {service}", NOTICEABLE.as_secs())),
    }
}

/// Whether something keeps the clock right, according to the kernel.
pub(super) async fn synchronised(bus: &Bus) -> Finding {
    let name = "clock synchronisation";
    let asked = bus.call("ask for the clock's state", async |c| TimeDateProxy::new(c).await?.ntp_synchronized().await).await;
    match asked {
        Ok(true) => Finding::ok(name, "the clock is synchronised"),
        Ok(false) => Finding::warning(name, "the clock is not synchronised", REMEDY),
        Err(error) => Finding::skipped(name, crate::telemetry::chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem, Skipped, Warning};

    fn verdict(there: u64, here: u64) -> Verdict {
        judge(Some(("ec2", (Timestamp(there), Timestamp(here))))).verdict
    }

    #[test]
    fn five_seconds_are_noticed_and_five_minutes_are_too_much_either_way() {
        const NOW: u64 = 1_795_261_980_000;
        for (off, expected) in [(0, Fine), (4_999, Fine), (5_000, Warning), (299_999, Warning), (300_000, Problem), (86_400_000, Problem)] {
            assert_eq!((verdict(NOW, NOW + off), verdict(NOW + off, NOW)), (expected, expected), "{off} ms");
        }
        assert!(judge(Some(("ec2", (Timestamp(NOW), Timestamp(NOW + 7_000))))).found.starts_with("7.0 s ahead of the clock of ec2"));
        assert_eq!(judge(None).verdict, Skipped);
    }
}
