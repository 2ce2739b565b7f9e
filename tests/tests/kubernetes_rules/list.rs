//! Lists, selectors, pages and watches.

use quorate_lab::kubernetes::PodSpec;
use serde_json::{Value, json};

use crate::world::{MERGE, PODS, World, refused};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

fn world() -> World {
    let mut world = World::new(&["n1", "n2"]);
    for (name, node) in [("a-0", "n1"), ("a-1", "n2"), ("b-0", "n1"), ("b-1", "n1")] {
        world.put(PodSpec::new(name).on(node));
    }
    world
}

#[test]
fn selectors_select() {
    let mut world = world();
    for (query, found) in [
        ("fieldSelector=spec.nodeName%3Dn1", vec!["a-0", "b-0", "b-1"]),
        ("fieldSelector=spec.nodeName!%3Dn1", vec!["a-1"]),
        ("labelSelector=app%3Da", vec!["a-0", "a-1"]),
        ("fieldSelector=spec.nodeName%3Dn1&labelSelector=app%3Db", vec!["b-0", "b-1"]),
        ("fieldSelector=metadata.name%3Da-1", vec!["a-1"]),
    ] {
        assert_eq!(names(&world.get(&format!("/api/v1/pods?{query}")).unwrap()), found, "{query}");
    }
    let (code, message) = refused(world.get("/api/v1/pods?fieldSelector=spec.hostname%3Dx"));
    assert!(code == 400 && message.ends_with("field label not supported: spec.hostname"), "{message}");
}

#[test]
fn pages_show_the_objects_as_they_were_at_the_first_and_too_old_ones_are_refused() {
    let mut world = world();
    let first = world.get("/api/v1/pods?limit=2").unwrap();
    assert_eq!(names(&first), ["a-0", "a-1"]);
    world.put(PodSpec::new("b-00").on("n1"));
    world.delete("b-1", &json!({ "gracePeriodSeconds": 0 })).unwrap();
    let next = format!("/api/v1/pods?limit=2&continue={}", first["metadata"]["continue"].as_str().unwrap());
    let second = world.get(&next).unwrap();
    assert_eq!(names(&second), ["b-0", "b-1"]);
    assert!(second["metadata"].get("continue").is_none());
    world.cluster.compact();
    let (code, message) = refused(world.get(&next));
    assert!(code == 410 && message.starts_with("The provided continue parameter is too old"), "{message}");
    assert_eq!(refused(world.get("/api/v1/pods?continue=nonsense")).0, 400);
}

fn told(events: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events.iter().map(|event| (text(&event["type"]), text(&event["object"]["metadata"]["name"]))).collect()
}

fn pair(event: &str, name: &str) -> (String, String) {
    (event.to_owned(), name.to_owned())
}

#[test]
fn a_watch_tells_what_came_changed_and_went_since_a_version() {
    let mut world = world();
    let list = world.get(&format!("{PODS}?fieldSelector=spec.nodeName%3Dn1")).unwrap();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut watch = world.watch(&format!("{PODS}?watch=1&fieldSelector=spec.nodeName%3Dn1&resourceVersion={version}"));
    world.put(PodSpec::new("c-0").on("n1"));
    world.put(PodSpec::new("c-1").on("n2"));
    world.delete("a-0", &json!({ "gracePeriodSeconds": 1 })).unwrap();
    world.pass(2.0);
    let events = world.cluster.watched(&mut watch, world.now).unwrap();
    assert_eq!(told(&events), [pair("ADDED", "c-0"), pair("MODIFIED", "a-0"), pair("DELETED", "a-0")]);
    assert!(world.cluster.watched(&mut watch, world.now).unwrap().is_empty(), "each change is reported once");
}

#[test]
fn a_pod_that_is_bound_to_the_node_has_come_for_its_watcher() {
    let mut world = World::new(&["n1"]);
    world.patch_node("n1", MERGE, &json!({ "spec": { "unschedulable": true } })).unwrap();
    world.put(PodSpec::new("web-0"));
    world.pass(10.0);
    let mut watch = world.watch("/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3Dn1");
    assert!(world.cluster.watched(&mut watch, world.now).unwrap().is_empty());
    world.patch_node("n1", MERGE, &json!({ "spec": { "unschedulable": null } })).unwrap();
    world.pass(1.0);
    assert_eq!(told(&world.cluster.watched(&mut watch, world.now).unwrap())[0], pair("ADDED", "web-0"));
}

#[test]
fn a_watch_from_a_version_that_is_too_old_ends_with_an_error() {
    let mut world = world();
    world.cluster.compact();
    let mut watch = world.watch("/api/v1/nodes?watch=1&resourceVersion=1");
    let last = world.cluster.watched(&mut watch, world.now).unwrap_err();
    assert_eq!((&last["type"], &last["object"]["code"], &last["object"]["reason"]), (&json!("ERROR"), &json!(410), &json!("Expired")));
    assert!(last["object"]["message"].as_str().unwrap().starts_with("too old resource version: 1 ("), "{last}");
}
