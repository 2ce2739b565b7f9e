//! The endpoint of the AWS API over plain HTTP.

use quorate_lab::region::{Call, Caller, Event, LifecycleState};

use crate::http::{ask, call, ids, served, states, text};

const EC2: &str = "Version=2016-11-15";
const ASG: &str = "Version=2011-01-01";

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[tokio::test]
async fn services_are_told_apart_by_version_or_else_by_signature() {
    let server = served(1).await;
    let (status, answer) = ask(&server, "autoscaling", &format!("Action=DescribeTags&{EC2}")).await;
    assert!(status == 200 && answer.contains("<tagSet>"), "{answer}");
    let (_, answer) = ask(&server, "ec2", &format!("Action=DescribeTags&{ASG}")).await;
    assert!(answer.contains("<Tags>"), "{answer}");
    assert!(ask(&server, "ec2", "Action=DescribeTags").await.1.contains("<tagSet>"));
    assert!(ask(&server, "autoscaling", "Action=DescribeTags").await.1.contains("<Tags>"));
    assert_eq!(ask(&server, "s3", "Action=DescribeTags").await.0, 400);
}

#[tokio::test]
async fn an_unknown_action_is_refused_by_each_service_in_its_own_form() {
    let server = served(1).await;
    let (status, answer) = ask(&server, "ec2", &format!("Action=RunInstances&{EC2}")).await;
    assert!(status == 400 && answer.contains("<Response><Errors><Error><Code>InvalidAction</Code>"), "{answer}");
    let (status, answer) = ask(&server, "autoscaling", &format!("Action=DeleteAutoScalingGroup&{ASG}")).await;
    assert!(status == 400 && answer.contains("<Error><Type>Sender</Type><Code>InvalidAction</Code>"), "{answer}");
}

#[tokio::test]
async fn an_unsigned_call_is_refused() {
    let server = served(1).await;
    let response = reqwest::Client::new().post(server.url()).body(format!("Action=DescribeTags&{EC2}")).send().await.unwrap();
    let (status, answer) = text(response).await;
    assert!(status == 403 && answer.contains("MissingAuthenticationToken"), "{answer}");
}

#[tokio::test]
async fn callers_are_counted_by_their_access_key() {
    let server = served(1).await;
    let id = ids(&server)[0].clone();
    call(&server, id.as_str(), "ec2", &format!("Action=DescribeInstances&{EC2}")).await.unwrap();
    call(&server, "AKIAIOSFODNN7EXAMPLE", "ec2", &format!("Action=DescribeInstances&{EC2}")).await.unwrap();
    let region = server.region().lock();
    assert_eq!(region.calls().of(&Caller::Instance(id), Call::DescribeInstances), 1);
    assert_eq!(region.calls().of(&Caller::Operator, Call::DescribeInstances), 1);
}

#[tokio::test]
async fn a_dry_run_does_nothing_and_says_so() {
    let mut server = served(1).await;
    let id = ids(&server)[0].clone();
    let (status, answer) = ask(&server, "ec2", &format!("Action=TerminateInstances&{EC2}&InstanceId.1={id}&DryRun=true")).await;
    assert!(status == 412 && answer.contains("DryRunOperation"), "{answer}");
    assert_eq!(states(&server), [LifecycleState::InService]);
    ask(&server, "ec2", &format!("Action=TerminateInstances&{EC2}&InstanceId.1={id}")).await;
    assert_eq!(states(&server)[0], LifecycleState::TerminatingWait);
    let mut seen = Vec::new();
    while seen.last() != Some(&Event::PowerOff(id.clone())) {
        seen.push(server.events.recv().await.unwrap());
    }
    assert!(seen.contains(&Event::Shutdown(id.clone())) && seen.contains(&Event::Launch(id)));
}

#[tokio::test]
async fn unknown_and_malformed_ids_are_told_apart() {
    let server = served(1).await;
    let ask_for = async |id: &str| ask(&server, "ec2", &format!("Action=DescribeInstances&{EC2}&InstanceId.1={id}")).await;
    let (status, answer) = ask_for("i-0123456789abcdef0").await;
    assert!(status == 400 && answer.contains("InvalidInstanceID.NotFound") && answer.contains("'i-0123456789abcdef0'"), "{answer}");
    assert!(ask_for("i-xyz").await.1.contains("InvalidInstanceID.Malformed"));
}

#[tokio::test]
async fn filters_are_honoured_and_unknown_ones_refused() {
    let server = served(3).await;
    let describe = async |filter: &str| ask(&server, "ec2", &format!("Action=DescribeInstances&{EC2}&{filter}")).await;
    let running = "Filter.1.Name=instance-state-name&Filter.1.Value.1=pending&Filter.1.Value.2=running";
    assert_eq!(count(&describe(running).await.1, "<instanceId>"), 3);
    let stopped = "Filter.1.Name=instance-state-name&Filter.1.Value.1=stopped";
    assert_eq!(count(&describe(stopped).await.1, "<instanceId>"), 0);
    let tagged = "Filter.1.Name=tag%3Aaws%3Aautoscaling%3AgroupName&Filter.1.Value.1=etcd";
    assert_eq!(count(&describe(tagged).await.1, "<instanceId>"), 3);
    assert_eq!(
        count(&describe(&format!("{tagged}&{}", stopped.replace(".1", ".2").replace("Value.2", "Value.1"))).await.1, "<instanceId>"),
        0
    );
    assert_eq!(describe("Filter.1.Name=colour&Filter.1.Value.1=red").await.0, 400);
}

#[tokio::test]
async fn texts_are_escaped() {
    let server = served(1).await;
    let (_, answer) = ask(&server, "autoscaling", &format!("Action=DescribeAutoScalingGroups&{ASG}")).await;
    assert!(answer.contains("prod &lt;&amp;&gt; &quot;test&quot;"), "{answer}");
}

#[tokio::test]
async fn pages_are_given_out_one_after_the_other() {
    let server = served(7).await;
    let ec2 = async |rest: &str| ask(&server, "ec2", &format!("Action=DescribeInstances&{EC2}{rest}")).await.1;
    let first = ec2("&MaxResults=5").await;
    assert_eq!(count(&first, "<instanceId>"), 5);
    let token = first.split("<nextToken>").nth(1).unwrap().split('<').next().unwrap();
    let second = ec2(&format!("&MaxResults=5&NextToken={token}")).await;
    assert_eq!((count(&second, "<instanceId>"), count(&second, "<nextToken>")), (2, 0));
    assert!(ec2("&MaxResults=2").await.contains("InvalidParameterValue"));
    let id = &ids(&server)[0];
    assert!(ec2(&format!("&MaxResults=5&InstanceId.1={id}")).await.contains("InvalidParameterCombination"));
    assert!(ec2("&NextToken=made-up").await.contains("InvalidNextToken"));
}

#[tokio::test]
async fn pages_are_as_small_as_the_lab_says() {
    let server = served(3).await;
    server.limit_pages(1);
    let form = format!("Action=DescribeAutoScalingInstances&{ASG}");
    let answer = ask(&server, "autoscaling", &form).await.1;
    assert_eq!((count(&answer, "<InstanceId>"), count(&answer, "<NextToken>")), (1, 1));
    assert_eq!(ask(&server, "autoscaling", &format!("{form}&MaxRecords=51")).await.0, 400);
}

#[tokio::test]
async fn a_missing_parameter_is_named() {
    let server = served(1).await;
    let (status, answer) = ask(&server, "autoscaling", &format!("Action=SetDesiredCapacity&{ASG}&AutoScalingGroupName=etcd")).await;
    assert!(status == 400 && answer.contains("DesiredCapacity"), "{answer}");
    let form = format!("Action=CompleteLifecycleAction&{ASG}&AutoScalingGroupName=etcd&LifecycleHookName=h&LifecycleActionResult=CONTINUE");
    assert_eq!(ask(&server, "autoscaling", &form).await.0, 400, "neither token nor instance");
}
