//! Patches and conflicts.

use quorate_lab::kubernetes::{Key, PodSpec};
use serde_json::json;

use crate::world::{MERGE, PODS, STRATEGIC, World, refused};

#[test]
fn taints_are_replaced_whole_by_both_kinds_of_patch() {
    for kind in [MERGE, STRATEGIC] {
        let mut world = World::new(&["n1"]);
        let taint = |key: &str| json!({ "spec": { "taints": [{ "key": key, "effect": "NoSchedule" }] } });
        world.patch_node("n1", kind, &taint("a")).unwrap();
        let node = world.patch_node("n1", kind, &taint("b")).unwrap();
        assert_eq!(node["spec"]["taints"], json!([{ "key": "b", "effect": "NoSchedule" }]), "{kind}");
    }
}

#[test]
fn a_strategic_patch_merges_conditions_by_type_and_finalizers_as_a_set() {
    let mut world = World::new(&["n1"]);
    let ready =
        json!({ "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "x" }] }, "metadata": { "finalizers": ["a"] } });
    world.patch_node("n1", STRATEGIC, &ready).unwrap();
    let voter = json!({ "status": { "conditions": [{ "type": "EtcdIsVoter", "status": "True" }, { "type": "Ready", "status": "False" }] },
        "metadata": { "finalizers": ["b"] } });
    let node = world.patch_node("n1", STRATEGIC, &voter).unwrap();
    assert_eq!(node["status"]["conditions"][0], json!({ "type": "Ready", "status": "False", "reason": "x" }));
    assert_eq!(node["status"]["conditions"][1]["type"], "EtcdIsVoter");
    assert_eq!(node["metadata"]["finalizers"], json!(["a", "b"]));
    let gone = json!({ "status": { "conditions": [{ "$patch": "delete", "type": "Ready" }] }, "metadata": { "$deleteFromPrimitiveList/finalizers": ["a"] } });
    let node = world.patch_node("n1", STRATEGIC, &gone).unwrap();
    assert_eq!((node["status"]["conditions"].as_array().unwrap().len(), &node["metadata"]["finalizers"]), (1, &json!(["b"])));
    let node = world.patch_node("n1", MERGE, &ready).unwrap();
    assert_eq!(node["status"]["conditions"].as_array().unwrap().len(), 1, "a merge patch replaces every list");
}

#[test]
fn null_removes_and_a_patch_that_changes_nothing_makes_no_version() {
    let mut world = World::new(&["n1"]);
    let cordon = json!({ "metadata": { "annotations": { "x": "y" } }, "spec": { "unschedulable": true } });
    let first = world.patch_node("n1", MERGE, &cordon).unwrap();
    let second = world.patch_node("n1", MERGE, &cordon).unwrap();
    assert_eq!(first["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]);
    let back = json!({ "metadata": { "annotations": { "x": null } }, "spec": { "unschedulable": null } });
    let third = world.patch_node("n1", MERGE, &back).unwrap();
    assert!(third["spec"].get("unschedulable").is_none() && third["metadata"]["annotations"] == json!({}));
    assert_ne!(second["metadata"]["resourceVersion"], third["metadata"]["resourceVersion"]);
}

#[test]
fn a_patch_that_names_an_older_version_is_a_conflict_and_one_that_names_the_newest_is_not() {
    let mut world = World::new(&["n1"]);
    let version = world.cluster.get(&Key::node("n1")).unwrap()["metadata"]["resourceVersion"].clone();
    let patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "unschedulable": true } });
    world.patch_node("n1", MERGE, &patch).unwrap();
    let again = json!({ "metadata": { "resourceVersion": version }, "spec": { "unschedulable": null } });
    let words = "Operation cannot be fulfilled on nodes \"n1\": the object has been modified; please apply your changes to the latest version and try again";
    assert_eq!(refused(world.patch_node("n1", STRATEGIC, &again)), (409, words.to_owned()));
    let other = json!({ "metadata": { "uid": "another" } });
    let (code, message) = refused(world.patch_node("n1", MERGE, &other));
    assert!(code == 409 && message.contains("Precondition failed: UID in precondition: another, UID in object meta: "), "{message}");
}

#[test]
fn other_formats_objects_and_methods_are_refused() {
    let mut world = World::new(&["n1"]);
    assert_eq!(refused(world.patch_node("n1", "application/json-patch+json", &json!([]))).0, 415);
    assert_eq!(refused(world.patch_node("n2", MERGE, &json!({}))), (404, "nodes \"n2\" not found".to_owned()));
    assert_eq!(refused(world.ask("PUT", "/api/v1/nodes/n1", "", &json!({}))).0, 405);
    assert_eq!(refused(world.get("/api/v1/secrets")), (404, "the server could not find the requested resource".to_owned()));
    world.put(PodSpec::new("web-0"));
    let again = world.ask("POST", PODS, "application/json", &PodSpec::new("web-0").into());
    assert_eq!(refused(again), (409, "pods \"web-0\" already exists".to_owned()));
}
