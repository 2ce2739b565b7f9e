//! Evictions and disruption budgets.

use quorate_lab::kubernetes::{PodSpec, Resource, budget, workload};
use serde_json::{Value, json};

use crate::world::{PODS, World, refused};

const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// A ReplicaSet `web` of this number of pods, ready, on nodes `n1` and `n2`.
fn web(replicas: u32) -> World {
    let mut world = World::new(&["n1", "n2"]);
    world.put(workload(Resource::ReplicaSets, "web", replicas, &PodSpec::new("web").grace(10)));
    world.pass(5.0);
    world
}

fn names(world: &World) -> Vec<String> {
    world.cluster.all(Resource::Pods).map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn status(world: &mut World) -> [i64; 4] {
    let budget = world.get("/apis/policy/v1/namespaces/default/poddisruptionbudgets/pdb").unwrap();
    ["currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed"].map(|field| budget["status"][field].as_i64().unwrap())
}

#[test]
fn budgets_count_as_the_real_controller_counts() {
    for (rule, replicas, counted) in [
        (json!({ "minAvailable": 2 }), 3, [3, 2, 3, 1]),
        (json!({ "minAvailable": 5 }), 3, [3, 5, 3, 0]),
        (json!({ "minAvailable": "50%" }), 3, [3, 2, 3, 1]),
        (json!({ "minAvailable": "100%" }), 3, [3, 3, 3, 0]),
        (json!({ "maxUnavailable": 1 }), 3, [3, 2, 3, 1]),
        (json!({ "maxUnavailable": 0 }), 3, [3, 3, 3, 0]),
        (json!({ "maxUnavailable": "30%" }), 10, [10, 7, 10, 3]),
        (json!({ "maxUnavailable": "1%" }), 10, [10, 9, 10, 1]),
        (json!({ "maxUnavailable": 9 }), 3, [3, 0, 3, 3]),
    ] {
        let mut world = web(replicas);
        world.put(budget("pdb", "web", &rule));
        assert_eq!(status(&mut world), counted, "{rule}");
    }
    let mut world = web(3);
    world.put(budget("pdb", "nothing", &json!({ "maxUnavailable": 1 })));
    assert_eq!(status(&mut world), [0, 0, 0, 0], "a budget that matches no pods allows nothing");
}

#[test]
fn a_budget_is_spent_by_evictions_and_grows_again_when_the_successors_are_ready() {
    let mut world = web(3);
    world.put(budget("pdb", "web", &json!({ "maxUnavailable": 1 })));
    let pods = names(&world);
    let done = world.evict(&pods[0], &json!({})).unwrap();
    assert_eq!(done["status"], "Success");
    let status = world.evict(&pods[1], &json!({})).unwrap_err();
    assert_eq!((status.code, status.reason, status.message.as_str(), status.retry_after()), (429, "TooManyRequests", REFUSED, None));
    let cause = &status.details.as_ref().unwrap()["causes"][0];
    assert_eq!(cause["reason"], "DisruptionBudget");
    assert_eq!(cause["message"], "The disruption budget pdb needs 2 healthy pods and has 2 currently");
    world.evict(&pods[0], &json!({})).expect("a pod that is ending already is exempt");
    world.pass(1.0);
    assert_eq!(refused(world.evict(&pods[1], &json!({}))).0, 429, "its successor is there, but not ready");
    world.pass(2.0);
    world.evict(&pods[1], &json!({})).expect("its successor is ready");
}

#[test]
fn several_budgets_are_500_and_a_pod_without_one_goes() {
    let mut world = web(2);
    world.put(budget("pdb", "web", &json!({ "maxUnavailable": 1 })));
    world.put(budget("second", "web", &json!({ "maxUnavailable": 1 })));
    let pod = names(&world)[0].clone();
    let words = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    assert_eq!(refused(world.evict(&pod, &json!({}))), (500, words.to_owned()));
    world.put(PodSpec::new("lonely-0").on("n1"));
    world.evict("lonely-0", &json!({})).unwrap();
}

#[test]
fn unhealthy_pods_go_by_policy() {
    for (rule, goes) in [
        (json!({ "minAvailable": 1 }), true),
        (json!({ "minAvailable": 2 }), false),
        (json!({ "minAvailable": 2, "unhealthyPodEvictionPolicy": "IfHealthyBudget" }), false),
        (json!({ "minAvailable": 2, "unhealthyPodEvictionPolicy": "AlwaysAllow" }), true),
    ] {
        let mut world = World::new(&["n1"]);
        world.put(PodSpec::new("web-0").on("n1"));
        world.put(PodSpec::new("web-1").on("n1").unready());
        world.put(budget("pdb", "web", &rule));
        assert_eq!(world.evict("web-1", &json!({})).is_ok(), goes, "{rule}");
        assert!(world.evict("web-0", &json!({})).is_err(), "{rule}: the healthy one stays");
    }
}

#[test]
fn pending_and_finished_pods_are_exempt() {
    let mut world = World::new(&["n1"]);
    world.put(budget("pdb", "web", &json!({ "minAvailable": 5 })));
    world.put(PodSpec::new("web-0").on("n1").finished());
    world.put(PodSpec::new("web-1"));
    assert_eq!(world.pod("web-1").unwrap()["status"]["phase"], "Pending");
    world.evict("web-0", &json!({})).unwrap();
    world.evict("web-1", &json!({})).unwrap();
    assert!(names(&world).is_empty(), "neither had anything to end");
}

#[test]
fn grace_and_uid_are_honoured_in_the_right_spelling_only() {
    let mut world = World::new(&["n1"]);
    for name in ["web-0", "web-1", "web-2"] {
        world.put(PodSpec::new(name).on("n1").grace(60));
    }
    world.evict("web-0", &json!({ "gracePeriodSeconds": 5 })).unwrap();
    assert_eq!(world.pod("web-0").unwrap()["metadata"]["deletionGracePeriodSeconds"], 5);
    let (code, message) = refused(world.evict("web-1", &json!({ "preconditions": { "uid": "old" } })));
    assert!(code == 409 && message.contains("the UID in the precondition (old)"), "{message}");
    let misspelt =
        json!({ "metadata": { "name": "web-2" }, "delete_options": { "gracePeriodSeconds": 5, "preconditions": { "uid": "old" } } });
    world.ask("POST", &format!("{PODS}/web-2/eviction"), "", &misspelt).unwrap();
    assert_eq!(world.pod("web-2").unwrap()["metadata"]["deletionGracePeriodSeconds"], 60, "an unknown field is dropped");
}

#[test]
fn the_budget_is_asked_before_the_uid() {
    let mut world = World::new(&["n1"]);
    world.put(PodSpec::new("db-0").on("n1"));
    world.put(budget("pdb", "db", &json!({ "minAvailable": 1 })));
    assert_eq!(refused(world.evict("db-0", &json!({ "preconditions": { "uid": "old" } }))).0, 429);
}

#[test]
fn another_name_than_the_paths_and_a_pod_that_is_not_there_are_refused() {
    let mut world = World::new(&["n1"]);
    assert_eq!(refused(world.evict("web-0", &Value::Null)), (404, "pods \"web-0\" not found".to_owned()));
    let other = json!({ "metadata": { "name": "web-1" } });
    let answer = world.ask("POST", &format!("{PODS}/web-0/eviction"), "", &other);
    assert_eq!(refused(answer), (400, "name in URL does not match name in Eviction object".to_owned()));
}
