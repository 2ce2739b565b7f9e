//! Nodes whose kubelets report: what happens to them and their pods when the kubelet falls silent, and when the Node is deleted.

use quorate_lab::kubernetes::{Key, PodSpec, Resource, User, workload};
use serde_json::{Value, json};

use crate::world::{STRATEGIC, World};

fn report(world: &mut World, node: &str) -> Result<Value, quorate_lab::kubernetes::Status> {
    let before = std::mem::replace(&mut world.user, User::Node(node.to_owned()));
    let status = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] }, "metadata": { "labels": { "a": "b" } } });
    let answer = world.ask("PATCH", &format!("/api/v1/nodes/{node}/status"), STRATEGIC, &status);
    world.user = before;
    answer
}

fn ready(world: &World, node: &str) -> Value {
    world.cluster.get(&Key::node(node)).unwrap()["status"]["conditions"][0]["status"].clone()
}

#[test]
fn a_kubelet_that_falls_silent_leaves_its_node_unknown_and_its_pods_unready() {
    let mut world = World::new(&["n1", "n2"]);
    world.put(PodSpec::new("web-0").on("n1"));
    world.put(PodSpec::new("web-1").on("n2"));
    report(&mut world, "n1").unwrap();
    world.pass(49.0);
    assert_eq!((ready(&world, "n1"), world.cluster.running_on("n1")), ("True".into(), 1));
    world.pass(2.0);
    assert_eq!((ready(&world, "n1"), world.cluster.running_on("n1")), ("Unknown".into(), 0));
    assert_eq!(world.cluster.running_on("n2"), 1, "a Node that a test put there needs no kubelet");
    report(&mut world, "n1").unwrap();
    assert_eq!((ready(&world, "n1"), world.cluster.running_on("n1")), ("True".into(), 1));
}

#[test]
fn nothing_is_scheduled_to_started_on_or_ended_by_a_silent_kubelet() {
    let mut world = World::new(&["n1"]);
    report(&mut world, "n1").unwrap();
    world.put(PodSpec::new("old-0").on("n1").grace(1));
    world.pass(60.0);
    world.put(workload(Resource::ReplicaSets, "web", 1, &PodSpec::new("web")));
    world.ask("DELETE", "/api/v1/namespaces/default/pods/old-0", "application/json", &Value::Null).unwrap();
    world.pass(60.0);
    assert_eq!(world.cluster.pods_on("n1"), ["old-0"]);
    report(&mut world, "n1").unwrap();
    world.put(PodSpec::new("kick"));
    world.pass(49.0);
    let pods = world.cluster.pods_on("n1");
    assert!(!pods.contains(&"old-0"), "{pods:?}");
    assert_eq!(world.cluster.running_on("n1"), 2);
}

#[test]
fn pods_of_a_deleted_node_are_made_up_for_elsewhere() {
    let mut world = World::new(&["n1"]);
    report(&mut world, "n1").unwrap();
    world.put(workload(Resource::StatefulSets, "db", 1, &PodSpec::new("db")));
    world.pass(5.0);
    assert_eq!(world.cluster.pods_on("n1"), ["db-0"]);
    world.put(quorate_lab::kubernetes::node("n2"));
    world.ask("DELETE", "/api/v1/nodes/n1", "application/json", &Value::Null).unwrap();
    world.pass(5.0);
    assert_eq!((world.cluster.pods_on("n1").len(), world.cluster.running_on("n2")), (0, 1));
}

#[test]
fn a_patch_of_the_status_changes_nothing_else_and_no_other_nodes() {
    let mut world = World::new(&["n1", "n2"]);
    let node = report(&mut world, "n1").unwrap();
    assert!(node["metadata"].get("labels").is_none(), "{node}");
    world.user = User::Node("n2".to_owned());
    let refused = world.ask("PATCH", "/api/v1/nodes/n1/status", STRATEGIC, &json!({ "status": { "phase": "x" } })).unwrap_err();
    assert_eq!(refused.code, 403);
}
