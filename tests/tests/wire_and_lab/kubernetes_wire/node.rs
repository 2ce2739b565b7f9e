//! The Node: cordon, uncordon, deletion.

use quorate::adapters::kubernetes::CORDONED;
use quorate_core::plan::Outcome;
use quorate_lab::kubernetes::Key;
use quorate_lab::wire::{Fault, Rule, Scope};
use serde_json::{Value, json};

use crate::kubernetes_wire::drained::refused;
use crate::kubernetes_wire::lab::{Lab, unclear};

fn node(lab: &Lab) -> Value {
    lab.get(&Key::node("n1")).unwrap()
}

fn is_marked(lab: &Lab) -> bool {
    node(lab)["metadata"]["annotations"].get(CORDONED).is_some()
}

/// What an operator does with kubectl.
async fn by_hand(lab: &Lab, patch: &Value) {
    let request = reqwest::Client::new().patch(format!("{}/api/v1/nodes/n1", lab.server.url())).bearer_auth("admin");
    let answer = request.header("content-type", "application/strategic-merge-patch+json").body(patch.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_cordon_at_the_same_moment_is_a_conflict_and_not_ours() {
    let lab = Lab::start(&["n1"]).await;
    let adapter = lab.adapter().await;
    let slow = Fault::Delay(std::time::Duration::from_millis(300));
    lab.server.faults().add(Rule::new(Scope::kubernetes("PATCH", "/n1"), slow).times(1));
    let theirs = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        by_hand(&lab, &json!({ "spec": { "unschedulable": true } })).await;
    };
    let (ours, ()) = tokio::join!(adapter.cordon("n1"), theirs);
    assert!(refused(ours).contains("409 Conflict: Operation cannot be fulfilled on nodes \"n1\""));
    assert!(!is_marked(&lab));
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_unclear_and_may_be_asked_again() {
    let lab = Lab::start(&["n1"]).await;
    let adapter = lab.adapter().await;
    let uid = node(&lab)["metadata"]["uid"].as_str().unwrap().to_owned();
    lab.server.faults().add(Rule::new(Scope::kubernetes("DELETE", "/n1"), Fault::LoseAnswer).times(1));
    unclear(adapter.delete_node("n1", &uid).await);
    assert_eq!(adapter.delete_node("n1", &uid).await, Outcome::Done, "it has gone already");
}
