//! The unmodified AWS CLI, as an operator would use it.

mod s3;

use std::process::Stdio;
use std::time::Duration;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_lab::region::{Call, Caller, Delays, Event, GroupSpec, HookSpec, LifecycleState, Region, RegionConfig, Transition};
use quorate_lab::wire::RegionServer;
use serde_json::Value;
use tokio::process::Command;

/// What a command answered: its JSON, or its complaint.
type Answer = Result<Value, String>;

/// Whether there is a CLI to test with; says so aloud if not.
async fn missing(test: &str) -> bool {
    let found = Command::new("aws").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    let missing = !found.is_ok_and(|status| status.success());
    if missing {
        println!("SKIPPED {test}: no usable `aws` on PATH");
    }
    missing
}

async fn served(test: &str) -> Option<RegionServer> {
    if missing(test).await {
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
async fn run(url: &str, key: &str, command: &str) -> Result<String, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::temp_dir();
    let variables = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_DEFAULT_REGION", "eu-central-1")];
    let mut process = Command::new("aws");
    process.args(command.split_whitespace()).env_clear().env("PATH", path).env("HOME", home).envs(variables);
    process.env("AWS_ENDPOINT_URL", url).env("AWS_PAGER", "").env("AWS_MAX_ATTEMPTS", "1").env("AWS_EC2_METADATA_DISABLED", "true");
    let output = process.args(["--output", "json"]).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn parsed(said: Result<String, String>) -> Answer {
    said.map(|text| if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

async fn aws_as(server: &RegionServer, key: &str, command: &str) -> Answer {
    parsed(run(&server.url(), key, command).await)
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
    let tags = aws(&server, "autoscaling describe-tags --filters Name=auto-scaling-group,Values=etcd").await.unwrap();
    assert_eq!(tags["Tags"][0]["Key"], "quorate:cluster");
    let tags = aws(&server, &format!("ec2 describe-tags --filters Name=resource-id,Values={id}")).await.unwrap();
    assert_eq!(tags["Tags"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn it_follows_pages() {
    let Some(server) = served("it_follows_pages").await else { return };
    server.limit_pages(1);
    let instances = aws(&server, "ec2 describe-instances").await.unwrap();
    assert_eq!(instances["Reservations"].as_array().unwrap().len(), 2);
    let members = aws(&server, "autoscaling describe-auto-scaling-instances").await.unwrap();
    assert_eq!(members["AutoScalingInstances"].as_array().unwrap().len(), 2);
    assert_eq!(server.region().lock().calls().of(&Caller::Operator, Call::DescribeInstances), 2);
}

#[tokio::test]
async fn it_resizes_and_is_refused_beyond_the_bounds() {
    let Some(server) = served("it_resizes_and_is_refused_beyond_the_bounds").await else { return };
    let resize = "autoscaling set-desired-capacity --auto-scaling-group-name etcd --desired-capacity";
    assert_eq!(aws(&server, &format!("{resize} 3")).await, Ok(Value::Null));
    assert_eq!(ids(&server).len(), 3);
    let refusal = aws(&server, &format!("{resize} 5")).await.unwrap_err();
    assert!(refusal.contains("(ValidationError)") && refusal.contains("New SetDesiredCapacity value 5 is above max value 4"), "{refusal}");
    let update = "autoscaling update-auto-scaling-group --auto-scaling-group-name etcd --min-size 0 --max-size 5";
    assert_eq!(aws(&server, update).await, Ok(Value::Null));
    let sizes = server.region().lock().group(&GroupName::new("etcd")).unwrap().sizes;
    assert_eq!((sizes.min, sizes.max, sizes.desired), (0, 5, 3));
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
async fn it_takes_an_instance_out_of_a_target_group() {
    let Some(server) = served("it_takes_an_instance_out_of_a_target_group").await else { return };
    let id = ids(&server)[0].clone();
    let arn = server.region().with(|region, now| {
        let mut api = region.api(&Caller::Operator, now);
        let arn = api.create_target_group("web", 80);
        api.register_targets(&arn, &[(id.clone(), None), (id.clone(), Some(8443))]).unwrap();
        arn
    });
    let ports = || server.region().lock().target_group(&arn).unwrap().targets.iter().map(|target| target.port).collect::<Vec<_>>();
    let take_out = |arn: &str, port: &str| format!("elbv2 deregister-targets --target-group-arn {arn} --targets Id={id}{port}");
    aws(&server, &take_out(arn.as_str(), "")).await.unwrap();
    assert_eq!(ports(), [8443]);
    aws(&server, &take_out(arn.as_str(), ",Port=8443")).await.unwrap();
    assert_eq!(ports(), [0; 0]);
    let complaint = aws(&server, &take_out(&arn.as_str().replace("/web/", "/other/"), "")).await.unwrap_err();
    assert!(complaint.contains("(TargetGroupNotFound)") && complaint.contains("One or more target groups not found"), "{complaint}");
}

#[tokio::test]
async fn it_lists_puts_and_deletes_hooks() {
    let Some(server) = served("it_lists_puts_and_deletes_hooks").await else { return };
    let put = "autoscaling put-lifecycle-hook --auto-scaling-group-name etcd --lifecycle-hook-name start --heartbeat-timeout 60 \
               --lifecycle-transition autoscaling:EC2_INSTANCE_LAUNCHING --default-result CONTINUE";
    assert_eq!(aws(&server, put).await, Ok(Value::Null));
    let hooks = aws(&server, "autoscaling describe-lifecycle-hooks --auto-scaling-group-name etcd").await.unwrap();
    let named = |name: &str| hooks["LifecycleHooks"].as_array().unwrap().iter().find(|hook| hook["LifecycleHookName"] == name).cloned();
    assert_eq!(named("start").unwrap()["DefaultResult"], "CONTINUE");
    assert_eq!(named("stop").unwrap()["GlobalTimeout"], 30_000);
    let delete = "autoscaling delete-lifecycle-hook --auto-scaling-group-name etcd --lifecycle-hook-name start";
    assert_eq!(aws(&server, delete).await, Ok(Value::Null));
    assert!(aws(&server, delete).await.unwrap_err().contains("ValidationError"));
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
    assert_eq!(aws(&server, "autoscaling cancel-instance-refresh --auto-scaling-group-name etcd").await.unwrap()["InstanceRefreshId"], id);
}

#[tokio::test]
async fn it_marks_an_instance_unhealthy_and_reads_what_happened() {
    let Some(server) = served("it_marks_an_instance_unhealthy_and_reads_what_happened").await else { return };
    let id = ids(&server)[0].clone();
    assert_eq!(
        aws(&server, &format!("autoscaling set-instance-health --health-status Unhealthy --instance-id {id}")).await,
        Ok(Value::Null)
    );
    assert_eq!(state(&server, &id), LifecycleState::TerminatingWait);
    let activities = aws(&server, "autoscaling describe-scaling-activities --auto-scaling-group-name etcd").await.unwrap();
    assert_eq!(activities["Activities"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn it_terminates_and_reboots_by_ec2() {
    let Some(mut server) = served("it_terminates_and_reboots_by_ec2").await else { return };
    let (first, second) = (ids(&server)[0].clone(), ids(&server)[1].clone());
    assert_eq!(aws(&server, &format!("ec2 reboot-instances --instance-ids {second}")).await, Ok(Value::Null));
    let answer = aws(&server, &format!("ec2 terminate-instances --instance-ids {first}")).await.unwrap();
    assert_eq!(answer["TerminatingInstances"][0]["PreviousState"]["Name"], "running");
    let dry = aws(&server, &format!("ec2 terminate-instances --dry-run --instance-ids {second}")).await.unwrap_err();
    assert!(dry.contains("(DryRunOperation)"), "{dry}");
    let unknown = aws(&server, "ec2 describe-instances --instance-ids i-0123456789abcdef0").await.unwrap_err();
    assert!(unknown.contains("(InvalidInstanceID.NotFound)"), "{unknown}");
    let mut seen = Vec::new();
    while !seen.contains(&Event::PowerOff(first.clone())) {
        seen.push(server.events.recv().await.unwrap());
    }
    assert!(seen.contains(&Event::Reboot(second.clone())) && !seen.contains(&Event::Shutdown(second)));
}

#[tokio::test]
async fn it_sends_an_instance_to_standby_and_suspends_processes() {
    let Some(server) = served("it_sends_an_instance_to_standby_and_suspends_processes").await else { return };
    let id = ids(&server)[0].clone();
    let named = format!("--auto-scaling-group-name etcd --instance-ids {id}");
    aws(&server, &format!("autoscaling enter-standby {named} --should-decrement-desired-capacity")).await.unwrap();
    assert_eq!(state(&server, &id), LifecycleState::Standby);
    aws(&server, &format!("autoscaling exit-standby {named}")).await.unwrap();
    assert_eq!(state(&server, &id), LifecycleState::InService);
    aws(&server, "autoscaling suspend-processes --auto-scaling-group-name etcd --scaling-processes Launch").await.unwrap();
    let groups = aws(&server, "autoscaling describe-auto-scaling-groups").await.unwrap();
    assert_eq!(groups["AutoScalingGroups"][0]["SuspendedProcesses"][0]["ProcessName"], "Launch");
    aws(&server, &format!("autoscaling detach-instances {named} --should-decrement-desired-capacity")).await.unwrap();
    assert_eq!(state(&server, &id), LifecycleState::Detached);
}
