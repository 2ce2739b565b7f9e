//! Deletion: grace, preconditions, finalizers.

use std::time::Duration;

use quorate_lab::kubernetes::{Key, PodSpec, Resource};
use serde_json::{Value, json};

use crate::world::{MERGE, STRATEGIC, World, refused};

#[test]
fn a_pod_ends_after_its_grace_and_a_grace_can_only_be_shortened() {
    let mut world = World::new(&["n1"]);
    world.put(PodSpec::new("web-0").on("n1").grace(60));
    let pod = world.delete("web-0", &Value::Null).unwrap();
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 60);
    assert_eq!(pod["metadata"]["deletionTimestamp"], "2027-01-15T08:01:00Z", "a deadline, not the moment of the request");
    let pod = world.delete("web-0", &json!({ "gracePeriodSeconds": 90 })).unwrap();
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 60, "never longer");
    world.pass(5.0);
    let pod = world.delete("web-0", &json!({ "gracePeriodSeconds": 10 })).unwrap();
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 10);
    world.pass(9.0);
    assert!(world.pod("web-0").is_some());
    world.pass(1.1);
    assert!(world.pod("web-0").is_none());
}

#[test]
fn a_pod_that_stops_sooner_ends_sooner_and_one_without_grace_at_once() {
    let mut world = World::new(&["n1"]);
    world.put(PodSpec::new("web-0").on("n1").grace(60).stops_after(Duration::from_secs(3)));
    world.put(PodSpec::new("slow-0").on("n1").grace(2).stops_after(Duration::from_secs(600)));
    world.delete("slow-0", &Value::Null).unwrap();
    world.put(PodSpec::new("web-1").on("n1"));
    world.put(PodSpec::new("web-2").on("n1").finished());
    world.delete("web-0", &Value::Null).unwrap();
    world.delete("web-1", &json!({ "gracePeriodSeconds": 0 })).unwrap();
    world.delete("web-2", &Value::Null).unwrap();
    assert!(world.pod("web-1").is_none() && world.pod("web-2").is_none());
    world.pass(2.9);
    assert!(world.pod("web-0").is_some());
    assert!(world.pod("slow-0").is_none(), "killed at the end of its grace");
    world.pass(0.2);
    assert!(world.pod("web-0").is_none());
}

#[test]
fn another_uid_or_version_than_the_one_meant_is_refused_and_the_object_stays() {
    let mut world = World::new(&["n1"]);
    world.put(PodSpec::new("web-0").on("n1"));
    let uid = world.uid("web-0");
    let meant = |uid: &str| json!({ "preconditions": { "uid": uid } });
    let words = format!(
        "Operation cannot be fulfilled on Pod \"web-0\": the UID in the precondition (old) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    assert_eq!(refused(world.delete("web-0", &meant("old"))), (409, words));
    world.cluster.late_preconditions = true;
    let (code, message) = refused(world.delete("web-0", &meant("old")));
    let words = format!("AdditionalErrorMsg: Precondition failed: UID in precondition: old, UID in object meta: {uid}");
    assert!(code == 409 && message.ends_with(&words), "{message}");
    let (code, message) = refused(world.delete("web-0", &json!({ "preconditions": { "resourceVersion": "1" } })));
    assert!(code == 409 && message.contains("the ResourceVersion in the precondition (1) does not match"), "{message}");
    assert!(world.pod("web-0").unwrap()["metadata"].get("deletionTimestamp").is_none());
    world.delete("web-0", &meant(&uid)).unwrap();
    assert_eq!(refused(world.delete("web-1", &Value::Null)), (404, "pods \"web-1\" not found".to_owned()));
}

#[test]
fn finalizers_keep_an_object_until_the_last_is_taken_away() {
    let mut world = World::new(&["n1"]);
    world.put(PodSpec::new("job-0").on("n1").grace(5).finalizer("batch.kubernetes.io/job-tracking"));
    world.delete("job-0", &Value::Null).unwrap();
    world.pass(60.0);
    let pod = world.pod("job-0").unwrap();
    assert_eq!((&pod["status"]["phase"], &pod["metadata"]["deletionGracePeriodSeconds"]), (&json!("Succeeded"), &json!(0)));
    let free = json!({ "metadata": { "finalizers": null } });
    world.ask("PATCH", "/api/v1/namespaces/default/pods/job-0", MERGE, &free).unwrap();
    assert!(world.pod("job-0").is_none());
}

#[test]
fn a_node_with_a_finalizer_hangs_and_one_without_goes_at_once() {
    let mut world = World::new(&["n1", "n2"]);
    let finalizers = json!({ "metadata": { "finalizers": ["wrangler.cattle.io/managed-etcd-controller"] } });
    world.patch_node("n1", STRATEGIC, &finalizers).unwrap();
    for node in ["n1", "n2"] {
        world.ask("DELETE", &format!("/api/v1/nodes/{node}"), "", &Value::Null).unwrap();
    }
    let nodes: Vec<&str> = world.cluster.all(Resource::Nodes).map(|node| node["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["n1"]);
    world.patch_node("n1", MERGE, &json!({ "metadata": { "finalizers": null } })).unwrap();
    assert!(world.cluster.get(&Key::node("n1")).is_none());
}
