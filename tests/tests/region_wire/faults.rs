//! Fault rules: each kind, on the API and on IMDS.

use std::time::Duration;

use quorate_core::ids::GroupName;
use quorate_lab::region::{ApiError, Caller, Service};
use quorate_lab::wire::{Fault, RegionServer, Rule, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::{ask, call, ids, imds, read, served, token};

const RESIZE: &str = "Action=SetDesiredCapacity&Version=2011-01-01&AutoScalingGroupName=etcd&DesiredCapacity=2";
const DESCRIBE: &str = "Action=DescribeInstances&Version=2016-11-15";

fn desired(server: &RegionServer) -> u32 {
    server.region().lock().group(&GroupName::new("etcd")).unwrap().sizes.desired
}

/// Sends a request by hand and returns every byte that comes back.
async fn bytes(server: &RegionServer, form: &str) -> Vec<u8> {
    let address = server.url().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = "Authorization: AWS4-HMAC-SHA256 Credential=op/20260101/r/autoscaling/aws4_request, x\r\nConnection: close";
    let request = format!("POST / HTTP/1.1\r\nHost: {address}\r\n{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn each_service_throttles_in_its_own_words() {
    let server = served(1).await;
    server.faults().add(Rule::new(Scope::service(Service::Ec2), Fault::Throttle));
    server.faults().add(Rule::new(Scope::service(Service::AutoScaling), Fault::Throttle));
    let (status, answer) = ask(&server, "ec2", DESCRIBE).await;
    assert!(status == 503 && answer.contains("<Code>RequestLimitExceeded</Code>"), "{answer}");
    let (status, answer) = ask(&server, "autoscaling", RESIZE).await;
    assert!(status == 400 && answer.contains("<Code>Throttling</Code><Message>Rate exceeded</Message>"), "{answer}");
    assert_eq!(desired(&server), 1);
}

#[tokio::test]
async fn a_rule_strikes_so_many_times_and_until_then() {
    let server = served(1).await;
    let twice = server.faults().add(Rule::new(Scope::action("DescribeInstances"), Fault::ServerError).times(2));
    for status in [500, 500, 200] {
        assert_eq!(ask(&server, "ec2", DESCRIBE).await.0, status);
    }
    assert_eq!(server.faults().struck(twice), 2);
    let end = server.region().now() + Duration::from_secs(60);
    server.faults().add(Rule::new(Scope::action("DescribeInstances"), Fault::Status(502)).until(end));
    assert_eq!(ask(&server, "ec2", DESCRIBE).await.0, 502);
    server.region().skip(Duration::from_secs(60));
    assert_eq!(ask(&server, "ec2", DESCRIBE).await.0, 200);
}

#[tokio::test]
async fn a_rule_can_be_meant_for_one_caller_and_be_taken_back() {
    let server = served(1).await;
    let id = ids(&server)[0].clone();
    let scope = Scope::Api { service: None, action: None, caller: Some(Caller::Instance(id.clone())) };
    let denied = ApiError::new("UnauthorizedOperation", "You are not authorized to perform this operation.");
    let rule = server.faults().add(Rule::new(scope, Fault::Refuse(denied)));
    let own = async || call(&server, id.as_str(), "ec2", DESCRIBE).await.unwrap().status().as_u16();
    assert_eq!((own().await, ask(&server, "ec2", DESCRIBE).await.0), (403, 200));
    server.faults().remove(rule);
    assert_eq!(own().await, 200);
}

#[tokio::test]
async fn a_hang_up_sends_no_byte_and_does_nothing() {
    let server = served(1).await;
    server.faults().add(Rule::new(Scope::action("SetDesiredCapacity"), Fault::HangUp));
    assert!(bytes(&server, RESIZE).await.is_empty());
    assert_eq!(desired(&server), 1);
    server.faults().clear();
    assert!(bytes(&server, RESIZE).await.starts_with(b"HTTP/1.1 200 OK"));
    assert_eq!(desired(&server), 2);
}

#[tokio::test]
async fn a_lost_answer_sends_no_byte_but_what_was_asked_for_happened() {
    let server = served(1).await;
    server.faults().add(Rule::new(Scope::action("SetDesiredCapacity"), Fault::LoseAnswer));
    assert!(bytes(&server, RESIZE).await.is_empty());
    assert_eq!(desired(&server), 2);
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_and_an_empty_one_is_empty() {
    let server = served(1).await;
    server.faults().add(Rule::new(Scope::action("DescribeInstances"), Fault::TruncatedBody).times(1));
    let cut = call(&server, "operator", "ec2", DESCRIBE).await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.text().await.is_err(), "the promised length never came");
    server.faults().add(Rule::new(Scope::action("DescribeInstances"), Fault::EmptyBody));
    assert_eq!(ask(&server, "ec2", DESCRIBE).await, (200, String::new()));
}

#[tokio::test]
async fn a_delay_delays_and_other_rules_still_apply() {
    let server = served(1).await;
    server.faults().add(Rule::new(Scope::action("DescribeInstances"), Fault::Delay(Duration::from_millis(300))));
    server.faults().add(Rule::new(Scope::action("DescribeInstances"), Fault::Throttle));
    let before = server.region().now();
    assert_eq!(ask(&server, "ec2", DESCRIBE).await.0, 503);
    assert!(server.region().now().since(before) >= Duration::from_millis(300));
}

#[tokio::test]
async fn imds_has_faults_of_its_own() {
    let server = served(1).await;
    let imds = imds(&server).await;
    let token = token(&imds, "60").await.text().await.unwrap();
    let path = "/latest/meta-data/autoscaling/target-lifecycle-state";
    for status in [401, 404, 429, 503] {
        let rule = server.faults().add(Rule::new(Scope::path("meta-data/autoscaling"), Fault::Status(status)));
        assert_eq!(read(&imds, &token, path).await.0, status);
        assert_eq!(read(&imds, &token, "/latest/meta-data/instance-id").await.0, 200, "another path");
        server.faults().remove(rule);
    }
    server.faults().add(Rule::new(Scope::path("meta-data/autoscaling"), Fault::EmptyBody).times(1));
    assert_eq!(read(&imds, &token, path).await, (200, String::new()));
    server.faults().add(Rule::new(Scope::path("meta-data/autoscaling"), Fault::TruncatedBody).times(1));
    let request = reqwest::Client::new().get(format!("{}{path}", imds.url())).header("X-aws-ec2-metadata-token", &token);
    assert!(request.send().await.unwrap().text().await.is_err());
    server.faults().add(Rule::new(Scope::path("api/token"), Fault::HangUp));
    let put = reqwest::Client::new().put(format!("{}/latest/api/token", imds.url()));
    assert!(put.header("X-aws-ec2-metadata-token-ttl-seconds", "60").send().await.is_err());
    assert_eq!(read(&imds, &token, path).await, (200, "InService".into()));
}

#[tokio::test]
async fn a_fault_can_strike_the_metadata_of_one_instance_only() {
    let server = served(2).await;
    let (first, second) = (imds(&server).await, server.serve_imds(ids(&server)[1].clone(), crate::http::ANYWHERE).await.unwrap());
    let scope = Scope::Imds { path: None, instance: Some(ids(&server)[0].clone()) };
    server.faults().add(Rule::new(scope, Fault::Status(503)));
    assert_eq!((token(&first, "60").await.status().as_u16(), token(&second, "60").await.status().as_u16()), (503, 200));
}
