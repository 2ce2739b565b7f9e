//! Evictions and deletions.

use quorate_core::drain::Owner;
use quorate_core::plan::Outcome;
use quorate_lab::kubernetes::{PodSpec, Resource};
use quorate_lab::wire::Fault;
use serde_json::json;

use crate::kubernetes_wire::drained::{ending, is_being_deleted, refused};
use crate::kubernetes_wire::lab::{Lab, unclear};

#[tokio::test]
async fn an_eviction_carries_its_grace_and_its_uid() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1").grace(60));
    let adapter = lab.adapter().await;
    assert_eq!(adapter.evict(&lab.ending("web-0", Some(7))).await, Outcome::Done);
    assert_eq!(lab.pod("web-0").unwrap()["metadata"]["deletionGracePeriodSeconds"], 7);
    lab.put(PodSpec::new("web-1").on("n1").grace(60));
    assert_eq!(adapter.evict(&lab.ending("web-1", None)).await, Outcome::Done);
    assert_eq!(lab.pod("web-1").unwrap()["metadata"]["deletionGracePeriodSeconds"], 60);
}

/// A budget's refusal is in `kubernetes_cluster`.
#[tokio::test]
async fn a_server_that_throttles_refuses_in_its_own_words_and_at_once() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1"));
    let (adapter, before) = (lab.adapter().await, lab.cluster.now());
    lab.fault("POST", "/eviction", Fault::Throttle);
    let why = refused(adapter.evict(&lab.ending("web-0", None)).await);
    assert!(why.contains("429") && why.contains("Too many requests, please try again later."), "{why}");
    assert!(lab.cluster.now().since(before) < crate::kubernetes_wire::lab::PATIENCE, "something was retried inside");
    assert!(!is_being_deleted(&lab.pod("web-0").unwrap()));
}

/// The precondition is violated between the server's own check and its store. The same without that race is in `kubernetes_cluster`.
#[tokio::test]
async fn a_successor_that_came_meanwhile_is_never_touched() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("db-0").on("n1"));
    lab.cluster.with(|cluster, _| cluster.late_preconditions = true);
    let adapter = lab.adapter().await;
    assert_eq!(adapter.evict(&ending("db-0", "old", None)).await, Outcome::Done);
    assert_eq!(adapter.delete_pod(&ending("db-0", "old", Some(1))).await, Outcome::Done);
    assert!(!is_being_deleted(&lab.pod("db-0").unwrap()));
}

#[tokio::test]
async fn another_conflict_than_the_uids_is_no_end() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1"));
    let words = "Operation cannot be fulfilled on Pod \"web-0\": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (2). The object might have been modified";
    let conflict =
        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": words, "reason": "Conflict", "code": 409 });
    let server = crate::kubernetes_wire::servers::answers_with("409 Conflict", &conflict.to_string()).await;
    let adapter = crate::kubernetes_wire::servers::adapter_of(&server).await;
    let why = refused(adapter.evict(&lab.ending("web-0", None)).await);
    assert!(why.contains("409 Conflict"), "{why}");
}

#[tokio::test]
async fn a_lost_answer_is_unclear_and_asking_again_does_no_harm() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1").grace(60));
    let adapter = lab.adapter().await;
    for fault in [Fault::LoseAnswer, Fault::TruncatedBody] {
        lab.server.faults().clear();
        lab.fault("POST", "/eviction", fault);
        unclear(adapter.evict(&lab.ending("web-0", Some(30))).await);
        assert!(is_being_deleted(&lab.pod("web-0").unwrap()), "but it happened");
    }
    lab.server.faults().clear();
    assert_eq!(adapter.evict(&lab.ending("web-0", Some(30))).await, Outcome::Done);
    assert_eq!(lab.pod("web-0").unwrap()["metadata"]["deletionGracePeriodSeconds"], 30);
}

#[tokio::test]
async fn a_server_that_breaks_may_have_done_it() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1"));
    let adapter = lab.adapter().await;
    for fault in [Fault::ServerError, Fault::Status(502), Fault::Status(503), Fault::HangUp] {
        lab.server.faults().clear();
        lab.fault("POST", "/eviction", fault);
        unclear(adapter.evict(&lab.ending("web-0", None)).await);
    }
    assert!(!is_being_deleted(&lab.pod("web-0").unwrap()));
}

#[tokio::test]
async fn pods_are_read_as_they_are() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("a-0").on("n1").owned_by(Resource::DaemonSets, "a", "1").critical());
    lab.put(PodSpec::new("b-0").on("n1").owned_by(Resource::ReplicaSets, "b", "2").local_data().grace(90));
    lab.put(PodSpec::new("c-0").on("n1").mirror());
    lab.put(PodSpec::new("d-0").on("n1").finished());
    let adapter = lab.adapter().await;
    adapter.evict(&lab.ending("b-0", None)).await;
    let pods = adapter.pods_on("n1").await.unwrap();
    let [a, b, c, d] = pods.as_slice() else { panic!("{pods:?}") };
    assert!(a.owner == Owner::DaemonSet && a.critical && !a.is_to_end());
    assert!(b.owner == Owner::Controller && b.local_data && b.grace.as_secs() == 90 && b.deleted_at.is_some());
    assert!(c.owner == Owner::Nobody && c.mirror && !c.is_to_end());
    assert!(d.finished && d.deleted_at.is_none());
}
