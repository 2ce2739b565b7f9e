//! IMDSv2 over plain HTTP.

use std::time::Duration;

use quorate_core::time::Timestamp;
use quorate_lab::region::{LifecycleState, MaintenanceEvent, SpotAction, Target};
use reqwest::Method;

use crate::http::{ids, imds, read, served, token};

#[tokio::test]
async fn nothing_is_read_without_a_token() {
    let server = served(1).await;
    let imds = imds(&server).await;
    assert_eq!(reqwest::get(format!("{}/latest/meta-data/instance-id", imds.url())).await.unwrap().status(), 401);
    assert_eq!(read(&imds, "AQAEA-made-up==", "/latest/meta-data/instance-id").await.0, 401);
    let valid = token(&imds, "60").await.text().await.unwrap();
    let id = ids(&server)[0].to_string();
    assert_eq!(read(&imds, &valid, "/latest/meta-data/instance-id").await, (200, id.clone()));
    assert_eq!(read(&imds, &valid, "/2021-07-15/meta-data/instance-id").await, (200, id));
}

#[tokio::test]
async fn a_token_needs_a_ttl_between_a_second_and_six_hours() {
    let server = served(1).await;
    let imds = imds(&server).await;
    for (ttl, status) in [("0", 400), ("1", 200), ("21600", 200), ("21601", 400), ("soon", 400)] {
        assert_eq!(token(&imds, ttl).await.status(), status, "{ttl}");
    }
    let bare = reqwest::Client::new().request(Method::PUT, format!("{}/latest/api/token", imds.url())).send().await.unwrap();
    assert_eq!(bare.status(), 400);
    assert_eq!(token(&imds, "60").await.headers()["x-aws-ec2-metadata-token-ttl-seconds"], "60");
}

#[tokio::test]
async fn a_token_is_neither_given_to_a_proxy_nor_under_a_dated_version_nor_to_a_get() {
    let server = served(1).await;
    let imds = imds(&server).await;
    let put = |path: &str| {
        let request = reqwest::Client::new().request(Method::PUT, format!("{}{path}", imds.url()));
        request.header("X-aws-ec2-metadata-token-ttl-seconds", "60")
    };
    assert_eq!(put("/latest/api/token").header("X-Forwarded-For", "10.0.0.1").send().await.unwrap().status(), 403);
    assert_eq!(put("/2021-07-15/api/token").send().await.unwrap().status(), 405);
    assert_eq!(put("/latest/meta-data/instance-id").send().await.unwrap().status(), 405);
    assert_eq!(reqwest::get(format!("{}/latest/api/token", imds.url())).await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_token_expires() {
    let server = served(1).await;
    let imds = imds(&server).await;
    let short = token(&imds, "60").await.text().await.unwrap();
    let long = token(&imds, "3600").await.text().await.unwrap();
    server.region().skip(Duration::from_secs(61));
    assert_eq!(read(&imds, &short, "/latest/meta-data/instance-id").await.0, 401);
    assert_eq!(read(&imds, &long, "/latest/meta-data/instance-id").await.0, 200);
}

#[tokio::test]
async fn a_token_of_one_instance_is_worth_nothing_at_another() {
    let server = served(2).await;
    let (first, second) = (imds(&server).await, server.serve_imds(ids(&server)[1].clone(), crate::http::ANYWHERE).await.unwrap());
    let own = token(&first, "60").await.text().await.unwrap();
    assert_eq!(read(&second, &own, "/latest/meta-data/instance-id").await.0, 401);
}

#[tokio::test]
async fn the_instance_knows_who_and_where_it_is() {
    let server = served(1).await;
    let (imds, id) = (imds(&server).await, ids(&server)[0].clone());
    let token = token(&imds, "60").await.text().await.unwrap();
    let get = async |path: &str| read(&imds, &token, path).await.1;
    let address = server.region().with(|region, _| region.instance(&id).unwrap().address.to_string());
    assert_eq!(get("/latest/meta-data/local-ipv4").await, address);
    assert_eq!(get("/latest/meta-data/placement/region").await, "eu-central-1");
    assert_eq!(get("/latest/meta-data/placement/availability-zone").await, "eu-central-1a");
    let document: serde_json::Value = serde_json::from_str(&get("/latest/dynamic/instance-identity/document").await).unwrap();
    assert_eq!(document["instanceId"], id.as_str());
    assert_eq!(document["privateIp"], address);
    assert_eq!(document["accountId"], "123456789012");
    assert!(document["pendingTime"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn absent_paths_are_404_and_absent_events_are_an_empty_list() {
    let server = served(1).await;
    let imds = imds(&server).await;
    let token = token(&imds, "60").await.text().await.unwrap();
    for path in [
        "/latest/meta-data/spot/instance-action",
        "/latest/meta-data/events/recommendations/rebalance",
        "/latest/meta-data/nothing",
        "/latest/meta-data/tags/instance/nothing",
        "/latest/user-data",
        "/yesterday/meta-data/instance-id",
        "/",
    ] {
        assert_eq!(read(&imds, &token, path).await.0, 404, "{path}");
    }
    assert_eq!(read(&imds, &token, "/latest/meta-data/events/maintenance/scheduled").await, (200, "[]".into()));
}

#[tokio::test]
async fn the_target_state_is_404_then_what_the_group_means_to_do() {
    let server = served(1).await;
    let (imds, id) = (imds(&server).await, ids(&server)[0].clone());
    let token = token(&imds, "60").await.text().await.unwrap();
    let path = "/latest/meta-data/autoscaling/target-lifecycle-state";
    assert_eq!(read(&imds, &token, path).await, (200, "InService".into()));
    assert_eq!(read(&imds, &token, &path.replace("latest", "2021-03-23")).await.0, 404, "older than the schema that has it");
    server.region().lock().set_target(&id, None);
    assert_eq!(read(&imds, &token, path).await.0, 404);
    server.region().lock().set_target(&id, Some(Target::Empty));
    assert_eq!(read(&imds, &token, path).await, (200, String::new()));
    let operator = quorate_lab::region::Caller::Operator;
    server.region().with(|region, now| region.api(&operator, now).terminate_in_group(&id, false)).unwrap();
    assert_eq!(read(&imds, &token, path).await, (200, "Terminated".into()));
    assert_eq!(crate::http::states(&server)[0], LifecycleState::TerminatingWait);
}

#[tokio::test]
async fn tags_are_there_where_the_group_switched_them_on() {
    let server = served(1).await;
    let (imds, id) = (imds(&server).await, ids(&server)[0].clone());
    let token = token(&imds, "60").await.text().await.unwrap();
    let base = "/latest/meta-data/tags/instance";
    assert_eq!(read(&imds, &token, &format!("{base}/aws:autoscaling:groupName")).await, (200, "etcd".into()));
    assert_eq!(read(&imds, &token, &format!("{base}/quorate%3Acluster")).await.0, 200);
    assert_eq!(read(&imds, &token, &format!("{base}/")).await, (200, "quorate:cluster\naws:autoscaling:groupName".into()));
    server.region().lock().metadata_mut(&id).unwrap().tags = false;
    assert_eq!(read(&imds, &token, &format!("{base}/aws:autoscaling:groupName")).await.0, 404);
    assert_eq!(read(&imds, &token, base).await.0, 404);
}

#[tokio::test]
async fn notices_are_spelled_as_ec2_spells_them() {
    let server = served(1).await;
    let (imds, id) = (imds(&server).await, ids(&server)[0].clone());
    let token = token(&imds, "60").await.text().await.unwrap();
    let at = Timestamp(1_548_061_243_000);
    {
        let mut region = server.region().lock();
        let metadata = region.metadata_mut(&id).unwrap();
        metadata.spot = Some(SpotAction { action: "terminate", time: at });
        metadata.rebalance = Some(at);
        let event =
            MaintenanceEvent { code: "instance-stop", id: "instance-event-1".into(), state: "active", not_before: at, not_after: None };
        metadata.maintenance = vec![event];
    }
    let base = "/latest/meta-data";
    let get =
        async |path: &str| serde_json::from_str::<serde_json::Value>(&read(&imds, &token, &format!("{base}/{path}")).await.1).unwrap();
    assert_eq!(get("spot/instance-action").await, serde_json::json!({"action": "terminate", "time": "2019-01-21T09:00:43Z"}));
    assert_eq!(get("events/recommendations/rebalance").await, serde_json::json!({"noticeTime": "2019-01-21T09:00:43Z"}));
    let events = get("events/maintenance/scheduled").await;
    assert_eq!(events[0]["NotBefore"], "21 Jan 2019 09:00:43 GMT");
    assert!(events[0].get("NotAfter").is_none());
}

#[tokio::test]
async fn credentials_name_the_instance() {
    let server = served(1).await;
    let imds = imds(&server).await;
    let token = token(&imds, "60").await.text().await.unwrap();
    let role = read(&imds, &token, "/latest/meta-data/iam/security-credentials/").await.1;
    let credentials = read(&imds, &token, &format!("/latest/meta-data/iam/security-credentials/{role}")).await.1;
    let credentials: serde_json::Value = serde_json::from_str(&credentials).unwrap();
    assert_eq!(credentials["AccessKeyId"], ids(&server)[0].as_str());
}

#[tokio::test]
async fn it_falls_silent_when_dropped() {
    let server = served(1).await;
    let imds = imds(&server).await;
    let address = imds.url();
    assert!(reqwest::get(&address).await.is_ok());
    drop(imds);
    for _ in 0..100 {
        if reqwest::get(&address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still answering");
}
