//! Whole drains over the wire.

use std::time::Duration;

use quorate::adapters::kubernetes::ApiServers;
use quorate_core::drain::{Escalation, Verdict};
use quorate_lab::kubernetes::{ApiServer, PodSpec, User};
use quorate_lab::wire::Fault;

use crate::kubernetes_wire::drained::{self, End};
use crate::kubernetes_wire::lab::Lab;

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
    let second = ApiServer::start(&lab.cluster, crate::kubernetes_wire::lab::ANYWHERE).await.unwrap();
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
