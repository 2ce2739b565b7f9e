//! The permissions of the instance's role: each call was made, in a form that changes nothing.

use crate::adapters::aws::AwsError;
use crate::telemetry::chain;

use super::finding::Finding;
use super::node::Parts;

/// Where the package puts the policies; in the sources it is `packaging/aws/iam`.
pub(super) const POLICIES: &str = "/usr/share/doc/quorate/examples/aws/iam";

/// What a call's result says about its permission. `action` is the IAM action. A call that is meant to be `refused` is permitted if it was refused.
pub(super) fn judge<T>(parts: &Parts, action: &str, result: &Result<T, AwsError>, refused: bool) -> Finding {
    let name = format!("permission {action}");
    let error = match result {
        Ok(_) => return Finding::ok(name, "permitted"),
        Err(error) => error,
    };
    match error {
        AwsError::Refused { words, .. } | AwsError::NotOpen { words, .. } if refused && words.code == "ValidationError" => {
            Finding::ok(name, "permitted: the trial was refused")
        }
        AwsError::Denied { words, .. } => Finding::problem(name, format!("denied, {words}"), denied(parts, action, &words.message)),
        AwsError::Unauthenticated { words, .. } => Finding::problem(
            name,
            format!("not authenticated, {words}"),
            "make sure that the instance has a role and that its clock is right",
        ),
        AwsError::Throttled { words, .. } => {
            let remedy = "try again; if it continues, find out what else in this account polls this API: all share one budget";
            Finding::warning(name, format!("not known: throttled, {words}"), remedy)
        }
        AwsError::NoAnswer { .. } => Finding::problem(name, format!("not known: {}", chain(error)), "fix the endpoint or the role first"),
        AwsError::Faulty { .. } => Finding::warning(name, format!("not known: {}", chain(error)), "try again: AWS had a fault of its own"),
        AwsError::Refused { .. } | AwsError::NotOpen { .. } | AwsError::Malformed { .. } => {
            Finding::problem(name, chain(error), "find out what answers in place of AWS: the call was well-formed")
        }
    }
}

/// The remedy for a denied call. The message says which policy denied it: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.
pub(super) fn denied(parts: &Parts, action: &str, message: &str) -> String {
    let place = [
        ("VPC endpoint policy", "the policy of the VPC endpoint for this service"),
        ("service control policy", "the service control policy of the organisation"),
        ("resource control policy", "the resource control policy of the organisation"),
        ("permissions boundary", "the permissions boundary of the instance's role"),
        ("session policy", "the session policy"),
        ("resource-based policy", "the policy of the bucket"),
    ];
    match place.iter().find(|(words, _)| message.contains(words)) {
        Some((_, place)) => format!("allow {action} in {place}"),
        None => format!(
            "allow {action} in the policy of the instance's role, as {POLICIES}/{} does; calls that act are allowed there only for groups with {}",
            parts.policy, parts.acts_on
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::aws::Words;
    use crate::check::finding::Verdict;
    use quorate_core::role::Role;

    const CALL: &str = "autoscaling:SetInstanceHealth";

    fn words(code: &str, message: &str) -> Words {
        Words { code: code.into(), message: message.into(), request: None }
    }

    fn judged(error: AwsError, refused: bool) -> Finding {
        judge::<()>(Parts::of(Role::Etcd), CALL, &Err(error), refused)
    }

    #[test]
    fn a_refusal_is_a_permission_only_where_it_was_asked_for() {
        let refusal = || AwsError::Refused { call: CALL, words: words("ValidationError", "No Lifecycle Hook found") };
        assert_eq!(judged(refusal(), true).verdict, Verdict::Ok);
        assert_eq!(judged(refusal(), false).verdict, Verdict::Problem);
        let other = AwsError::Refused { call: CALL, words: words("InvalidAction", "The action is not valid") };
        assert_eq!(judged(other, true).verdict, Verdict::Problem);
    }

    #[test]
    fn a_denial_names_the_action_and_the_policy_that_denies() {
        let role = words("AccessDenied", "is not authorized to perform: x because no identity-based policy allows the x action");
        let found = judged(AwsError::Denied { call: CALL, words: role }, true);
        let remedy = found.remedy.unwrap();
        assert!(found.name.ends_with(CALL) && remedy.contains(CALL) && remedy.contains("member.json"), "{remedy}");
        let endpoint = words("UnauthorizedOperation", "because no VPC endpoint policy allows the ec2:DescribeInstances action");
        let remedy = judged(AwsError::Denied { call: CALL, words: endpoint }, true).remedy.unwrap();
        assert!(remedy.contains("policy of the VPC endpoint") && !remedy.contains("member.json"), "{remedy}");
    }

    #[test]
    fn a_worker_is_shown_its_own_policy() {
        let remedy = |role| denied(Parts::of(role), CALL, "because no identity-based policy allows it");
        assert!(remedy(Role::ControlPlane).contains("iam/member.json does") && !remedy(Role::ControlPlane).contains("worker"));
        assert!(remedy(Role::Worker).contains("iam/worker.json does") && remedy(Role::Worker).contains("quorate:role = worker"));
    }

    #[test]
    fn what_is_not_known_is_not_permitted() {
        let lost = AwsError::NoAnswer { call: CALL, source: "timed out".into() };
        assert!(judged(lost, true).found.contains("timed out"));
        let throttled = AwsError::Throttled { call: CALL, words: words("Throttling", "Rate exceeded") };
        assert_eq!(judged(throttled, true).verdict, Verdict::Warning);
    }
}
