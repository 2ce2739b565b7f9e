//! What the stand-ins for controllers, scheduler and kubelets do when a pod is removed.

use quorate_lab::kubernetes::{PodSpec, Resource, workload};
use serde_json::{Value, json};

use crate::world::{MERGE, World};

fn node_of(pod: &Value) -> &str {
    pod["spec"]["nodeName"].as_str().unwrap_or_default()
}

fn cordon(world: &mut World, node: &str) {
    world.patch_node(node, MERGE, &json!({ "spec": { "unschedulable": true } })).unwrap();
}

#[test]
fn a_stateful_sets_pod_comes_back_elsewhere_under_its_name_once_the_old_has_gone() {
    let mut world = World::new(&["n1", "n2"]);
    cordon(&mut world, "n2");
    world.put(workload(Resource::StatefulSets, "db", 1, &PodSpec::new("db").grace(10)));
    world.pass(5.0);
    let uid = world.uid("db-0");
    cordon(&mut world, "n1");
    world.patch_node("n2", MERGE, &json!({ "spec": { "unschedulable": null } })).unwrap();
    world.evict("db-0", &json!({ "preconditions": { "uid": uid } })).unwrap();
    world.pass(9.0);
    assert_eq!((world.uid("db-0"), node_of(world.pod("db-0").unwrap())), (uid.clone(), "n1"));
    world.pass(2.0);
    assert_ne!(world.uid("db-0"), uid);
    assert_eq!(node_of(world.pod("db-0").unwrap()), "n2");
}

#[test]
fn a_replica_set_makes_up_for_a_pod_at_once_under_another_name_on_a_schedulable_node() {
    let mut world = World::new(&["n1", "n2"]);
    world.put(workload(Resource::ReplicaSets, "web", 2, &PodSpec::new("web").grace(60)));
    world.pass(5.0);
    assert_eq!((world.cluster.pods_on("n1").len(), world.cluster.pods_on("n2").len()), (1, 1));
    let old = world.cluster.pods_on("n1")[0].to_owned();
    cordon(&mut world, "n1");
    world.evict(&old, &json!({})).unwrap();
    world.pass(1.0);
    assert_eq!(world.cluster.pods_on("n1"), [old.as_str()], "it still has its grace");
    assert_eq!(world.cluster.pods_on("n2").len(), 2);
}

#[test]
fn a_daemon_set_puts_its_pod_back_on_an_unschedulable_node() {
    let mut world = World::new(&["n1"]);
    world.put(workload(Resource::DaemonSets, "cni", 0, &PodSpec::new("cni").grace(1)));
    world.pass(5.0);
    let old = world.cluster.pods_on("n1")[0].to_owned();
    cordon(&mut world, "n1");
    world.delete(&old, &Value::Null).unwrap();
    world.pass(2.0);
    let new = world.cluster.pods_on("n1");
    assert!(new.len() == 1 && new[0] != old, "{new:?}");
}

#[test]
fn nothing_is_bound_to_nodes_that_are_unschedulable_or_tainted() {
    let mut world = World::new(&["n1", "n2", "n3"]);
    cordon(&mut world, "n1");
    let taint = json!({ "spec": { "taints": [{ "key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule" }] } });
    world.patch_node("n2", MERGE, &taint).unwrap();
    world.put(workload(Resource::ReplicaSets, "web", 5, &PodSpec::new("web")));
    world.pass(5.0);
    assert_eq!(world.cluster.pods_on("n3").len(), 5);
    cordon(&mut world, "n3");
    world.put(PodSpec::new("late-0"));
    world.pass(60.0);
    assert_eq!(world.pod("late-0").unwrap()["status"]["phase"], "Pending");
}
