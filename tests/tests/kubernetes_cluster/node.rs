//! The Node: cordon, uncordon, deletion, and what is written on it.

use quorate::adapters::kubernetes::CORDONED;
use quorate_core::plan::Outcome;
use quorate_lab::kubernetes::Key;
use serde_json::{Value, json};

use crate::drained::refused;
use crate::stage::{Stage, play};

async fn node(stage: &Stage) -> Value {
    stage.get(&Key::node(&stage.nodes[0])).await.unwrap()
}

async fn is_marked(stage: &Stage) -> bool {
    node(stage).await["metadata"]["annotations"].get(CORDONED).is_some()
}

/// A Node without a computer.
async fn hollow(stage: &Stage, name: &str) -> (String, String) {
    let name = stage.app(name);
    let made = stage.create(quorate_lab::kubernetes::node(&name)).await;
    (name, made["metadata"]["uid"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn cordon_and_uncordon_leave_the_node_as_it_was() {
    play(async |stage: &Stage| {
        let (adapter, name) = (stage.adapter().await, &stage.nodes[0]);
        assert_eq!(adapter.is_schedulable(name).await.unwrap(), Some(true));
        assert_eq!(adapter.is_schedulable(&stage.app("nobody")).await.unwrap(), None);
        assert_eq!(adapter.cordon(name).await, Outcome::Done);
        assert_eq!(adapter.is_schedulable(name).await.unwrap(), Some(false));
        assert!(is_marked(stage).await);
        assert_eq!(adapter.uncordon(name).await, Outcome::Done);
        assert_eq!(adapter.is_schedulable(name).await.unwrap(), Some(true));
        assert!(!is_marked(stage).await);
    })
    .await;
}

#[tokio::test]
async fn what_somebody_else_cordoned_stays_cordoned() {
    play(async |stage: &Stage| {
        let (adapter, name) = (stage.adapter().await, &stage.nodes[0]);
        stage.patch(&Key::node(name), &json!({ "spec": { "unschedulable": true } })).await;
        assert_eq!(adapter.cordon(name).await, Outcome::Done);
        assert!(!is_marked(stage).await);
        assert_eq!(adapter.uncordon(name).await, Outcome::Done);
        assert_eq!(adapter.is_schedulable(name).await.unwrap(), Some(false));
    })
    .await;
}

#[tokio::test]
async fn taints_of_others_outlive_a_cordon() {
    play(async |stage: &Stage| {
        let (name, _) = hollow(stage, "tainted").await;
        let taints = json!([{ "key": "a", "effect": "NoSchedule" }, { "key": "b", "effect": "NoExecute" }]);
        let conditions = json!([{ "type": "Ready", "status": "True" }]);
        stage.patch(&Key::node(&name), &json!({ "spec": { "taints": taints }, "status": { "conditions": conditions } })).await;
        assert_eq!(stage.adapter().await.cordon(&name).await, Outcome::Done);
        let node = stage.get(&Key::node(&name)).await.unwrap();
        let kept: Vec<&Value> = node["spec"]["taints"].as_array().unwrap().iter().map(|taint| &taint["key"]).collect();
        assert!(kept.contains(&&json!("a")) && kept.contains(&&json!("b")), "{kept:?}");
        assert_eq!(node["spec"]["unschedulable"], true);
        // A real server takes no status here.
        assert!(stage.is_real || node["status"]["conditions"][0]["type"] == "Ready", "{node}");
    })
    .await;
}

#[tokio::test]
async fn a_node_is_deleted_by_its_uid_only() {
    play(async |stage: &Stage| {
        let (name, uid) = hollow(stage, "dead").await;
        let adapter = stage.adapter().await;
        let other = "00000000-0000-4000-8000-000000000000";
        assert!(refused(adapter.delete_node(&name, other).await).contains("409 Conflict"));
        assert_eq!(adapter.delete_node(&name, &uid).await, Outcome::Done);
        assert!(stage.get(&Key::node(&name)).await.is_none());
        assert_eq!(adapter.delete_node(&name, &uid).await, Outcome::Done, "it has gone already");
    })
    .await;
}

#[tokio::test]
async fn the_removal_of_a_member_is_asked_for_on_its_node() {
    play(async |stage: &Stage| {
        let (name, uid) = hollow(stage, "member").await;
        let adapter = stage.adapter().await;
        let seen = adapter.node_view(&name).await.unwrap().unwrap();
        assert!(seen.schedulable && !seen.removed && seen.is_voter.is_none() && seen.uid == uid);
        assert_eq!(adapter.annotate_removal(&name).await, Outcome::Done);
        let node = stage.get(&Key::node(&name)).await.unwrap();
        assert_eq!(node["metadata"]["annotations"]["etcd.k3s.cattle.io/remove"], "true");
        assert!(!adapter.node_view(&name).await.unwrap().unwrap().removed, "it was asked for, and not done");
        let nobody = stage.app("nobody");
        assert_eq!(adapter.node_view(&nobody).await.unwrap(), None);
        assert!(refused(adapter.annotate_removal(&nobody).await).contains("404"));
        assert!(adapter.list_nodes().await.unwrap().iter().any(|node| node.name == name && !node.control_plane));
    })
    .await;
}

#[tokio::test]
async fn a_kubelets_credential_cordons_its_own_node_and_nothing_else() {
    play(async |stage: &Stage| {
        let [name, other] = &stage.nodes;
        let adapter = stage.kubelet(name).await;
        assert_eq!(adapter.cordon(name).await, Outcome::Done);
        assert_eq!(adapter.uncordon(name).await, Outcome::Done);
        let why = refused(adapter.cordon(other).await);
        assert!(why.contains("403"), "{why}");
        let uid = node(stage).await["metadata"]["uid"].as_str().unwrap().to_owned();
        let why = refused(adapter.delete_node(name, &uid).await);
        assert!(why.contains(&format!("User \"system:node:{name}\" cannot delete resource \"nodes\"")), "{why}");
    })
    .await;
}
