//! The health checks that the group believes: it terminates and replaces what any of them calls unhealthy.

use quorate_core::ids::GroupName;

use super::finding::Finding;

const NAME: &str = "health checks of the group";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn a_group_that_believes_a_load_balancer_is_warned_of() {
        let group = GroupName::new("g");
        assert_eq!(judge(&group, &[]).verdict, Verdict::Ok);
        let both = judge(&group, &["ELB".to_owned(), "VPC_LATTICE".to_owned()]);
        assert_eq!(both.verdict, Verdict::Warning);
        assert!(both.found.contains("ELB or VPC_LATTICE") && both.remedy.unwrap().contains("/livez"));
    }
}
