//! Whole drains over the wire.

use std::time::Duration;

use quorate::adapters::kubernetes::ApiServers;
use quorate_core::drain::{Escalation, Verdict};
use quorate_lab::kubernetes::{ApiServer, PodSpec, Resource, User, budget, workload};
use quorate_lab::wire::Fault;
use serde_json::json;

use crate::drained::{self, End};
use crate::lab::Lab;

async fn drain(adapter: &ApiServers, budget: Duration, escalation: Escalation) -> End {
    drained::drain(adapter, "n1", budget, escalation).await
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn brief(name: &str) -> PodSpec {
    PodSpec::new(name).on("n1").grace(1).stops_after(Duration::from_millis(200))
}

#[tokio::test]
async fn what_must_go_goes_and_what_must_stay_stays() {
    let lab = Lab::start(&["n1", "n2"]).await;
    lab.put(brief("lonely-0"));
    lab.put(brief("cache-0").local_data());
    lab.put(brief("job-0").finished());
    lab.put(brief("static-0").mirror());
    lab.put(brief("dns-0").critical());
    let template = PodSpec::new("web").grace(1);
    lab.put(workload(Resource::DaemonSets, "cni", 0, &PodSpec::new("cni")));
    lab.put(workload(Resource::ReplicaSets, "web", 4, &template));
    lab.put(budget("pdb", "web", &json!({ "maxUnavailable": 1 })));
    lab.until("the web runs", |cluster| cluster.all(Resource::Pods).filter(|pod| pod["status"]["phase"] == "Running").count() >= 10).await;
    let end = drain(&lab.adapter().await, secs(20), Escalation::Delete).await;
    assert!(end.is_done(), "{:?}", end.said);
    let left = lab.pods_on("n1");
    assert!(left.len() == 2 && left[0].starts_with("cni-") && left[1] == "static-0", "{left:?}");
    assert!(end.took < secs(10), "{:?} {:?}", end.took, end.said);
    assert!(end.said.iter().any(|message| message.contains("cordons")), "{:?}", end.said);
    lab.until("the web is whole again", |cluster| cluster.pods_on("n2").iter().filter(|name| name.starts_with("web-")).count() == 4).await;
}

#[tokio::test]
async fn a_finalizer_that_nobody_takes_away_does_not_hold_the_drain() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(brief("job-0").finalizer("batch.kubernetes.io/job-tracking"));
    lab.put(brief("job-1").finished().finalizer("batch.kubernetes.io/job-tracking"));
    let end = drain(&lab.adapter().await, secs(10), Escalation::Delete).await;
    assert!(end.is_done() && end.took < secs(3), "{:?} {:?}", end.took, end.said);
    let pods = lab.pods_on("n1");
    assert_eq!(pods, ["job-0", "job-1"], "the objects stay");
    assert!(pods.iter().all(|name| lab.pod(name).unwrap()["status"]["phase"] == "Succeeded"));
}

#[tokio::test]
async fn a_stateful_sets_pod_is_not_chased_to_its_next_node() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(workload(Resource::StatefulSets, "db", 3, &PodSpec::new("db").grace(1)));
    lab.until("the database runs", |cluster| cluster.pods_on("n1").len() == 3).await;
    lab.put(quorate_lab::kubernetes::node("n2"));
    lab.put(budget("pdb", "db", &json!({ "maxUnavailable": 1 })));
    let evictions = lab.fault("POST", "/eviction", Fault::Delay(Duration::ZERO));
    let end = drain(&lab.adapter().await, secs(20), Escalation::GiveUp).await;
    assert!(end.is_done(), "{:?}", end.said);
    lab.until("all three run again", |cluster| {
        let mut pods = cluster.all(Resource::Pods);
        pods.all(|pod| pod["status"]["phase"] == "Running" && pod["spec"]["nodeName"] == "n2") && cluster.pods_on("n2").len() == 3
    })
    .await;
    for n in 0..3 {
        let pod = lab.pod(&format!("db-{n}")).unwrap();
        assert!(!drained::is_being_deleted(&pod), "{pod}");
    }
    assert!(lab.server.faults().struck(evictions) >= 3);
}

#[tokio::test]
async fn an_api_server_that_comes_back_finds_the_drain_going_on() {
    let lab = Lab::start(&["n1"]).await;
    for n in 0..5 {
        lab.put(PodSpec::new(&format!("web-{n}")).on("n1").grace(2));
    }
    let (adapter, address) = (lab.adapter().await, lab.server.address());
    let Lab { cluster, server } = lab;
    let away = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(server);
        tokio::time::sleep(Duration::from_millis(1200)).await;
        ApiServer::start(&cluster, address).await.unwrap()
    };
    let (end, _server) = tokio::join!(drain(&adapter, secs(20), Escalation::Delete), away);
    assert!(end.is_done() && end.took < secs(6), "{:?} {:?}", end.took, end.said);
    assert!(end.said.iter().any(|message| message.contains("waits for an API server")), "{:?}", end.said);
}

#[tokio::test]
async fn without_any_api_server_the_drain_is_given_up_after_its_patience() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(brief("web-0"));
    let adapter = lab.adapter().await;
    drop(lab);
    let end = drain(&adapter, secs(60), Escalation::Delete).await;
    let Verdict::GaveUp { message } = &end.verdict else { panic!("{:?}", end.verdict) };
    assert!(message.contains("no API server has answered for 2 s"), "{message}");
    assert!(end.took >= secs(2) && end.took < secs(4), "{:?}", end.took);
}

#[tokio::test]
async fn the_second_server_finishes_what_the_first_began() {
    let lab = Lab::start(&["n1"]).await;
    for n in 0..5 {
        lab.put(PodSpec::new(&format!("web-{n}")).on("n1").grace(1));
    }
    let second = ApiServer::start(&lab.cluster, crate::lab::ANYWHERE).await.unwrap();
    let adapter = lab.adapter_as(&User::Admin, &[second.url()]).await;
    lab.fault("POST", "/eviction", Fault::Status(503));
    let end = drain(&adapter, secs(20), Escalation::GiveUp).await;
    assert!(end.is_done() && end.took < secs(5), "{:?} {:?}", end.took, end.said);
}

#[tokio::test]
async fn lost_answers_and_broken_servers_cost_time_and_nothing_else() {
    let lab = Lab::start(&["n1"]).await;
    for n in 0..20 {
        lab.put(brief(&format!("web-{n}")));
    }
    for fault in [Fault::LoseAnswer, Fault::ServerError, Fault::HangUp, Fault::Throttle, Fault::TruncatedBody] {
        let scope = quorate_lab::wire::Scope::Kubernetes { method: None, path: None };
        lab.server.faults().add(quorate_lab::wire::Rule::new(scope, fault).times(5));
    }
    let end = drain(&lab.adapter().await, secs(20), Escalation::GiveUp).await;
    assert!(end.is_done() && end.took < secs(8), "{:?} {:?}", end.took, end.said);
    assert!(lab.pods_on("n1").is_empty());
}

#[tokio::test]
async fn a_node_that_may_not_be_cordoned_says_why_and_ends_in_time() {
    let lab = Lab::start(&["n1"]).await;
    lab.fault("PATCH", "/n1", Fault::Refuse(quorate_lab::region::ApiError::new("Forbidden", "nodes \"n1\" is forbidden")));
    let end = drain(&lab.adapter().await, secs(1), Escalation::Delete).await;
    assert!(
        end.took < secs(2) && end.said.iter().any(|message| message.contains("could not cordon its node") && message.contains("403")),
        "{:?}",
        end.said
    );
}

#[tokio::test]
async fn a_server_that_hangs_does_not_outlast_the_budget() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(brief("web-0"));
    let adapter = lab.adapter_within(&User::Admin, &[], secs(10)).await;
    lab.fault("POST", "/eviction", Fault::Delay(secs(60)));
    let end = drain(&adapter, secs(2), Escalation::GiveUp).await;
    assert!(!end.is_done() && end.took < secs(3), "{:?} {:?}", end.took, end.said);
    lab.fault("GET", "/pods", Fault::Delay(secs(60)));
    let end = drain(&adapter, secs(2), Escalation::GiveUp).await;
    assert!(!end.is_done() && end.took < secs(4), "{:?} {:?}", end.took, end.said);
}
