//! What AWS refuses, and what does not answer.

use std::time::Duration;

use quorate::check::{Report, Verdict};
use quorate_lab::lab::url::http;
use quorate_lab::region::ApiError;
use quorate_lab::wire::Fault;

use crate::wire_check::scene::{Scene, finding, problems};

/// As AWS words it: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.
fn denial(service: &str, action: &str, why: &str) -> Fault {
    let code = if service == "ec2" { "UnauthorizedOperation" } else { "AccessDenied" };
    let who = "User: arn:aws:sts::123456789012:assumed-role/etcd/i-1";
    Fault::Refuse(ApiError::new(code, format!("{who} is not authorized to perform: {service}:{action} because no {why} allows the action")))
}

async fn denied(service: &str, action: &str) -> Report {
    let scene = Scene::good().await;
    let before = scene.state();
    let rule = scene.lab.api_fault(action, denial(service, action, "identity-based policy"));
    let report = scene.check().await;
    assert!(scene.lab.struck(rule) > 0, "{action} was not tried");
    assert_eq!(scene.state(), before, "{action}");
    report
}

#[tokio::test]
async fn each_denied_call_is_named_with_the_policy_to_mend() {
    for action in "DescribeAutoScalingGroups, DescribeAutoScalingInstances, DescribeLifecycleHooks, DescribeWarmPool, RecordLifecycleActionHeartbeat, CompleteLifecycleAction, SetInstanceHealth".split(", ") {
        let (report, name) = (denied("autoscaling", action).await, format!("permission autoscaling:{action}"));
        assert_eq!(problems(&report), [name.as_str()], "{report}");
        let remedy = finding(&report, &name).remedy.as_deref().unwrap();
        assert!(remedy.contains(&format!("allow autoscaling:{action}")) && remedy.contains("member.json"), "{remedy}");
    }
    assert_eq!(problems(&denied("ec2", "DescribeInstances").await), ["permission ec2:DescribeInstances"]);
}

#[tokio::test]
async fn a_denial_by_the_endpoints_policy_is_told_from_one_by_the_roles() {
    let scene = Scene::good().await;
    scene.lab.api_fault("DescribeInstances", denial("ec2", "DescribeInstances", "VPC endpoint policy"));
    let report = scene.check().await;
    let remedy = finding(&report, "permission ec2:DescribeInstances").remedy.as_deref().unwrap();
    assert_eq!(remedy, "allow ec2:DescribeInstances in the policy of the VPC endpoint for this service");
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_a_finding_and_no_hang() {
    let scene = Scene::good().await;
    scene.lab.api_fault("DescribeInstances", Fault::Delay(Duration::from_secs(600)));
    let report = scene.check().await;
    assert_eq!(problems(&report), ["permission ec2:DescribeInstances"], "{report}");
    assert!(finding(&report, "permission ec2:DescribeInstances").found.contains("got no answer"), "{report}");
    assert_eq!(finding(&report, "endpoint ec2").verdict, Verdict::Ok, "it was reached anyway\n{report}");
}

#[tokio::test]
async fn endpoints_without_a_route_are_named_with_what_the_subnet_needs() {
    let mut scene = Scene::good().await;
    scene.endpoint = Some(http(scene.subnet.instances().first, 9));
    let report = scene.check().await;
    for service in ["autoscaling", "ec2"] {
        let found = finding(&report, &format!("endpoint {service}"));
        assert!(found.verdict == Verdict::Problem && found.remedy.as_deref().unwrap().contains(&format!("for {service}")), "{report}");
    }
    assert_eq!(finding(&report, "clock").verdict, Verdict::Skipped, "no source gave the time\n{report}");
}

#[tokio::test]
async fn a_throttled_call_is_not_taken_for_a_denied_one() {
    let scene = Scene::good().await;
    scene.lab.api_fault("DescribeLifecycleHooks", Fault::Throttle);
    let report = scene.check().await;
    assert_eq!(problems(&report), Vec::<&str>::new(), "{report}");
    assert_eq!(finding(&report, "permission autoscaling:DescribeLifecycleHooks").verdict, Verdict::Warning, "{report}");
}

#[tokio::test]
async fn without_metadata_only_the_machine_itself_is_looked_at() {
    let scene = Scene::good().await;
    let report = scene.check_without_imds().await;
    assert_eq!(problems(&report), ["instance metadata"], "{report}");
    assert_eq!(finding(&report, "permissions").verdict, Verdict::Skipped);
    assert_eq!(finding(&report, "etcd binary").verdict, Verdict::Ok, "{report}");
}

#[tokio::test]
async fn metadata_that_hangs_is_a_finding_and_one_without_tokens_too() {
    let scene = Scene::good().await;
    let rule = scene.lab.imds_fault("", Fault::Delay(Duration::from_secs(600)));
    assert_eq!(problems(&scene.check().await), ["instance metadata"]);
    scene.lab.server.faults().remove(rule);
    scene.lab.imds_fault("meta-data/instance-id", Fault::EmptyBody);
    let report = scene.check().await;
    assert_eq!(finding(&report, "IMDSv2").verdict, Verdict::Warning, "200 without a token is IMDSv1\n{report}");
}
