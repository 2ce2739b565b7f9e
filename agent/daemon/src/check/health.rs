//! What ends an instance that works: the health checks that its group believes, and capacity that its owner can take back.

use quorate_core::ids::GroupName;

use crate::adapters::aws::{ApplicationCheck, AwsError};
use crate::telemetry::chain;

use super::finding::Finding;

const NAME: &str = "health checks of the group";
const APPLICATION: &str = "application status checks";
const CAPACITY: &str = "capacity";

/// Answers that fail on members of a cluster that only waits: of the agent, and the second of a Kubernetes API server, too.
const NOT_FOR_LIFE: [&str; 2] = ["leader", "readyz"];

/// A check of `/readyz` fails on every member while quorum is lost, and one of `/leader` on every follower: a group that believes it terminates the
/// survivors of a cluster that only waits.
pub(super) fn judge(group: &GroupName, beside_ec2: &[String]) -> Finding {
    if beside_ec2.is_empty() {
        return Finding::ok(NAME, "EC2's own alone");
    }
    Finding::warning(
        NAME,
        format!("the group {group} terminates what {} calls unhealthy", beside_ec2.join(" or ")),
        "point that health check at /livez, which answers 200 while the agent runs; /readyz is 503 on every member while quorum is lost, and /leader on every \
         follower, so the group would terminate the survivors. Or set the group's health check type to EC2",
    )
}

/// The same of EC2's application status checks, which need no setting of the group's.
pub(super) fn of_application(checks: &Result<Vec<ApplicationCheck>, AwsError>) -> Finding {
    let checks = match checks {
        Ok(checks) => checks,
        Err(error) => return Finding::skipped(APPLICATION, format!("not known: {}", chain(error))),
    };
    let bad: Vec<_> = checks.iter().filter(|check| NOT_FOR_LIFE.contains(&first_part(&check.path))).map(named).collect();
    if bad.is_empty() {
        let how_many = format!("{} count for this instance, none of /readyz or /leader", checks.len());
        return Finding::ok(APPLICATION, if checks.is_empty() { "none counts for this instance".to_owned() } else { how_many });
    }
    Finding::warning(
        APPLICATION,
        format!("the group terminates this instance if EC2 gets no 200 from {}", bad.join(" or ")),
        "point it at /livez, which answers 200 while the agent runs, or exclude it from the instance's status (Aggregation=excluded): /readyz is 503 on \
         every member while quorum is lost, and /leader on every follower, so the group would terminate the survivors",
    )
}

fn first_part(path: &str) -> &str {
    path.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default()
}

fn named(check: &ApplicationCheck) -> String {
    let port = check.port.map(|port| format!(" on port {port}")).unwrap_or_default();
    format!("{}{port} ({})", check.path, check.id)
}

/// The owner of an interruptible capacity reservation takes all of its instances back at once: a majority of the voters may be among them.
pub(super) fn capacity(is_interruptible: bool) -> Finding {
    if !is_interruptible {
        return Finding::ok(CAPACITY, "not interruptible by the owner of a reservation");
    }
    Finding::warning(
        CAPACITY,
        "this instance runs in an interruptible capacity reservation, whose owner can end all of its instances at two minutes' notice",
        "launch members on demand, or in a reservation of your own: one reclamation can take a majority of the voters",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::aws::Words;
    use crate::check::Verdict;

    #[test]
    fn an_application_check_of_what_fails_without_quorum_is_warned_of() {
        let judged = |paths: &[&str]| {
            let check = |path: &&str| ApplicationCheck { id: "asc-1".into(), path: (*path).to_owned(), port: Some(2377) };
            of_application(&Ok(paths.iter().map(check).collect()))
        };
        for path in ["/readyz", "/leader", "/readyz?verbose", "/readyz/"] {
            let found = judged(&["/livez", path]);
            assert!(found.verdict == Verdict::Warning && found.found.contains("port 2377 (asc-1)"), "{path}: {}", found.found);
        }
        for paths in [&[][..], &["/livez"], &["/", "/healthz", "/readyzz"]] {
            assert_eq!(judged(paths).verdict, Verdict::Ok, "{paths:?}");
        }
        let words = Words { code: "UnauthorizedOperation".into(), message: "no".into(), request: None };
        let denied = of_application(&Err(AwsError::Denied { call: "ec2:DescribeApplicationStatus", words }));
        assert!(denied.verdict == Verdict::Skipped && denied.found.contains("ec2:DescribeApplicationStatus"), "{}", denied.found);
    }

    #[test]
    fn capacity_that_its_owner_can_take_back_is_warned_of() {
        assert_eq!((capacity(false).verdict, capacity(true).verdict), (Verdict::Ok, Verdict::Warning));
    }

    #[test]
    fn a_group_that_believes_a_load_balancer_is_warned_of() {
        let group = GroupName::new("g");
        assert_eq!(judge(&group, &[]).verdict, Verdict::Ok);
        let both = judge(&group, &["ELB".to_owned(), "VPC_LATTICE".to_owned()]);
        assert_eq!(both.verdict, Verdict::Warning);
        assert!(both.found.contains("ELB or VPC_LATTICE") && both.remedy.unwrap().contains("/livez"));
    }
}
