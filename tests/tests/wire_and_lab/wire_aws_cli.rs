//! The unmodified AWS CLI, with what an operator does to a group of `quorate-lab up`.

use std::process::Stdio;
use std::time::Duration;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_lab::region::{Caller, Delays, Event, GroupSpec, HookSpec, LifecycleState, Region, RegionConfig, Transition};
use quorate_lab::wire::RegionServer;
use serde_json::Value;
use tokio::process::Command;

/// What a command answered: its JSON, or its complaint.
type Answer = Result<Value, String>;

async fn served(test: &str) -> Option<RegionServer> {
    let found = Command::new("aws").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    if !found.is_ok_and(|status| status.success()) {
        println!("SKIPPED {test}: no usable `aws` on PATH");
        return None;
    }
    let delays = Delays { departure: Duration::from_secs(3600), ..Delays::none() };
    let region = Region::new(RegionConfig { delays, ..RegionConfig::default() });
    let server = RegionServer::start(region, ([127, 0, 0, 1], 0).into()).await.unwrap();
    let hook = |name, transition| HookSpec::new(name, transition).timeout(Duration::from_secs(300));
    let spec = GroupSpec::new("etcd", 2).sizes(1, 4, 2).tag("quorate:cluster", "prod").hook(hook("stop", Transition::Terminating));
    server.region().with(|region, now| region.create_group(spec, now)).unwrap();
    Some(server)
}

/// Runs `aws` with an environment of its own: no profile, no real credentials, one attempt. What it said, or its complaint.
async fn aws_as(server: &RegionServer, key: &str, command: &str) -> Answer {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::temp_dir();
    let variables = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_DEFAULT_REGION", "eu-central-1")];
    let mut process = Command::new("aws");
    process.args(command.split_whitespace()).env_clear().env("PATH", path).env("HOME", home).envs(variables);
    process
        .env("AWS_ENDPOINT_URL", server.url())
        .env("AWS_PAGER", "")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = process.args(["--output", "json"]).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    let said = text(&output.stdout);
    Ok(if said.is_empty() { Value::Null } else { serde_json::from_str(&said).unwrap() })
}

async fn aws(server: &RegionServer, command: &str) -> Answer {
    aws_as(server, "operator", command).await
}

fn ids(server: &RegionServer) -> Vec<InstanceId> {
    server.region().with(|region, _| region.members(&GroupName::new("etcd")).map(|one| one.id.clone()).collect())
}

fn state(server: &RegionServer, id: &InstanceId) -> LifecycleState {
    server.region().with(|region, _| region.instance(id).unwrap().lifecycle)
}

#[tokio::test]
async fn it_describes() {
    let Some(server) = served("it_describes").await else { return };
    let id = ids(&server)[0].to_string();
    let groups = aws(&server, "autoscaling describe-auto-scaling-groups --filters Name=tag:quorate:cluster,Values=prod").await.unwrap();
    let group = &groups["AutoScalingGroups"][0];
    assert_eq!((&group["AutoScalingGroupName"], &group["DesiredCapacity"]), (&"etcd".into(), &2.into()));
    assert_eq!(group["Instances"][0]["InstanceId"], id.as_str());
    assert_eq!(group["Instances"][0]["HealthStatus"], "Healthy");
    let members = aws(&server, &format!("autoscaling describe-auto-scaling-instances --instance-ids {id}")).await.unwrap();
    assert_eq!(members["AutoScalingInstances"][0]["LifecycleState"], "InService");
    assert_eq!(members["AutoScalingInstances"][0]["HealthStatus"], "HEALTHY");
    let filter = "Name=tag:aws:autoscaling:groupName,Values=etcd Name=instance-state-name,Values=running";
    let instances = aws(&server, &format!("ec2 describe-instances --filters {filter}")).await.unwrap();
    assert_eq!(instances["Reservations"].as_array().unwrap().len(), 2);
    let instance = &instances["Reservations"][0]["Instances"][0];
    assert_eq!((&instance["InstanceId"], &instance["State"]["Code"]), (&id.as_str().into(), &16.into()));
    assert_eq!(instance["PrivateIpAddress"], "10.0.0.10");
    let hooks = aws(&server, "autoscaling describe-lifecycle-hooks --auto-scaling-group-name etcd").await.unwrap();
    assert_eq!(
        (&hooks["LifecycleHooks"][0]["LifecycleHookName"], &hooks["LifecycleHooks"][0]["GlobalTimeout"]),
        (&"stop".into(), &30_000.into())
    );
}

#[tokio::test]
async fn it_resizes_and_is_refused_beyond_the_bounds() {
    let Some(server) = served("it_resizes_and_is_refused_beyond_the_bounds").await else { return };
    let resize = "autoscaling set-desired-capacity --auto-scaling-group-name etcd --desired-capacity";
    assert_eq!(aws(&server, &format!("{resize} 3")).await, Ok(Value::Null));
    assert_eq!(ids(&server).len(), 3);
    let refusal = aws(&server, &format!("{resize} 5")).await.unwrap_err();
    assert!(refusal.contains("(ValidationError)") && refusal.contains("New SetDesiredCapacity value 5 is above max value 4"), "{refusal}");
}

#[tokio::test]
async fn it_terminates_an_instance_and_completes_its_hook() {
    let Some(server) = served("it_terminates_an_instance_and_completes_its_hook").await else { return };
    let id = ids(&server)[0].clone();
    let terminate = "autoscaling terminate-instance-in-auto-scaling-group --no-should-decrement-desired-capacity --instance-id";
    let activity = aws(&server, &format!("{terminate} {id}")).await.unwrap();
    assert_eq!(activity["Activity"]["AutoScalingGroupName"], "etcd");
    assert_eq!((state(&server, &id), ids(&server).len()), (LifecycleState::TerminatingWait, 3));
    let named = format!("--auto-scaling-group-name etcd --lifecycle-hook-name stop --instance-id {id}");
    assert_eq!(aws_as(&server, id.as_str(), &format!("autoscaling record-lifecycle-action-heartbeat {named}")).await, Ok(Value::Null));
    let complete = format!("autoscaling complete-lifecycle-action {named} --lifecycle-action-result CONTINUE");
    assert_eq!(aws_as(&server, id.as_str(), &complete).await, Ok(Value::Null));
    assert_eq!(state(&server, &id), LifecycleState::Terminated);
    let refusal = aws(&server, &complete).await.unwrap_err();
    assert!(refusal.contains(&format!("No active Lifecycle Action found with instance ID {id}")), "{refusal}");
    let region = server.region().lock();
    assert_eq!(region.actions()[0].completed_by(), Some(&Caller::Instance(id.clone())));
    assert_eq!((region.actions()[0].heartbeats, region.double_completed().count()), (1, 1));
}

#[tokio::test]
async fn it_refreshes() {
    let Some(server) = served("it_refreshes").await else { return };
    let start =
        "autoscaling start-instance-refresh --auto-scaling-group-name etcd --preferences MinHealthyPercentage=100,MaxHealthyPercentage=110";
    let id = aws(&server, start).await.unwrap()["InstanceRefreshId"].clone();
    let refusal = aws(&server, start).await.unwrap_err();
    assert!(refusal.contains("(InstanceRefreshInProgress)"), "{refusal}");
    let refreshes = aws(&server, "autoscaling describe-instance-refreshes --auto-scaling-group-name etcd").await.unwrap();
    let refresh = &refreshes["InstanceRefreshes"][0];
    assert_eq!((&refresh["InstanceRefreshId"], &refresh["Status"]), (&id, &"InProgress".into()));
}

#[tokio::test]
async fn it_stops_without_a_shutdown_and_reads_the_status() {
    let Some(mut server) = served("it_stops_without_a_shutdown_and_reads_the_status").await else { return };
    let (first, second) = (ids(&server)[0].clone(), ids(&server)[1].clone());
    let answer = aws(&server, &format!("ec2 stop-instances --skip-os-shutdown --instance-ids {first}")).await.unwrap();
    assert_eq!(answer["StoppingInstances"][0]["CurrentState"]["Name"], "stopped");
    aws(&server, &format!("ec2 terminate-instances --skip-os-shutdown --instance-ids {second}")).await.unwrap();
    let status = aws(&server, &format!("ec2 describe-instance-status --include-all-instances --instance-ids {first}")).await.unwrap();
    assert_eq!(status["InstanceStatuses"][0]["InstanceState"]["Name"], "stopped");
    let mut seen = Vec::new();
    while !seen.contains(&Event::PowerOff(second.clone())) {
        seen.push(server.events.recv().await.unwrap());
    }
    assert!(!seen.iter().any(|event| matches!(event, Event::Shutdown(_))), "{seen:?}");
}

#[tokio::test]
async fn it_sets_the_instance_lifecycle_policy_or_refuses_it() {
    let Some(server) = served("it_sets_the_instance_lifecycle_policy_or_refuses_it").await else { return };
    let sent = |action: &str| {
        let (url, name) = (server.url(), "InstanceLifecyclePolicy.RetentionTriggers.TerminateHookAbandon");
        let form = format!("Action=UpdateAutoScalingGroup&Version=2011-01-01&AutoScalingGroupName=etcd&{name}={action}");
        async move { post(&url, form).await }
    };
    let retains = || server.region().lock().group(&GroupName::new("etcd")).unwrap().retain_on_abandon;
    assert_eq!((sent("retain").await.0, retains()), (200, true));
    assert_eq!((sent("terminate").await.0, retains()), (200, false));
    let (status, text) = sent("keep").await;
    assert!(status == 400 && text.contains("TerminateHookAbandon"), "{text}");
}

/// Several at a time are newer than some installed command line tools.
#[tokio::test]
async fn it_terminates_a_whole_group_in_one_call() {
    let Some(server) = served("it_terminates_a_whole_group_in_one_call").await else { return };
    let all = ids(&server);
    let named: String = all.iter().enumerate().map(|(n, id)| format!("&InstanceIds.member.{}={id}", n + 1)).collect();
    let form = |group: &str| {
        let call = "Action=TerminateInstanceInAutoScalingGroup&Version=2011-01-01&ShouldDecrementDesiredCapacity=false";
        format!("{call}{group}{named}")
    };
    let (status, text) = post(&server.url(), form("")).await;
    assert!(status == 400 && text.contains("AutoScalingGroupName"), "{text}");
    let (status, text) = post(&server.url(), form("&AutoScalingGroupName=etcd")).await;
    assert!(status == 200 && all.iter().all(|id| text.contains(&format!("Terminating EC2 instance: {id}"))), "{text}");
    assert!(all.iter().all(|id| state(&server, id) == LifecycleState::TerminatingWait));
}

/// A call as an SDK sends it, for what the installed command line tool does not know.
async fn post(url: &str, form: String) -> (u16, String) {
    let signed = "AWS4-HMAC-SHA256 Credential=operator/20260101/eu-central-1/autoscaling/aws4_request";
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(url).header("authorization", signed).body(form).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
