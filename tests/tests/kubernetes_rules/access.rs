//! What a kubelet's credential may do and what not, in the API's words.

use quorate_lab::kubernetes::{PodSpec, Resource, User, workload};
use serde_json::{Value, json};

use crate::world::{MERGE, World, refused};

/// The kubelet of node `n1` makes the calls; there is a pod on each of two nodes.
fn world() -> World {
    let mut world = World::new(&["n1", "n2"]);
    world.put(PodSpec::new("own-0").on("n1"));
    world.put(PodSpec::new("other-0").on("n2"));
    world.put(workload(Resource::DaemonSets, "cni", 0, &PodSpec::new("cni")));
    world.user = User::Node("n1".to_owned());
    world
}

fn forbidden<T: std::fmt::Debug>(result: Result<T, quorate_lab::kubernetes::Status>, words: &str) {
    let status = result.as_ref().unwrap_err();
    assert_eq!((status.code, status.reason, status.message.as_str()), (403, "Forbidden", words));
}

#[test]
fn it_may_cordon_and_mark_its_own_node_and_evict_its_own_pods() {
    let mut world = world();
    let cordon = json!({ "metadata": { "annotations": { "quorate/cordoned": "true" } }, "spec": { "unschedulable": true } });
    world.patch_node("n1", MERGE, &cordon).unwrap();
    world.get("/api/v1/nodes/n1").unwrap();
    world.get("/api/v1/namespaces/default/pods/own-0").unwrap();
    let list = world.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").unwrap();
    assert!(list["items"].as_array().unwrap().iter().any(|pod| pod["metadata"]["name"] == "own-0"));
    world.evict("own-0", &json!({ "gracePeriodSeconds": 1 })).unwrap();
    world.put(PodSpec::new("own-1").on("n1"));
    world.delete("own-1", &Value::Null).unwrap();
}

#[test]
fn it_may_not_touch_taints_restricted_labels_or_other_nodes() {
    let mut world = world();
    let taint = json!({ "spec": { "taints": [{ "key": "x", "effect": "NoExecute" }] } });
    forbidden(world.patch_node("n1", MERGE, &taint), "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints");
    let label =
        json!({ "metadata": { "labels": { "node-role.kubernetes.io/control-plane": "", "own/label": "", "kubernetes.io/os": "linux" } } });
    forbidden(
        world.patch_node("n1", MERGE, &label),
        "nodes \"n1\" is forbidden: is not allowed to modify labels: node-role.kubernetes.io/control-plane",
    );
    let cordon = json!({ "spec": { "unschedulable": true } });
    forbidden(world.patch_node("n2", MERGE, &cordon), "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
    let delete = world.ask("DELETE", "/api/v1/nodes/n1", "", &Value::Null);
    let words =
        "nodes \"n1\" is forbidden: User \"system:node:n1\" cannot delete resource \"nodes\" in API group \"\" at the cluster scope";
    forbidden(delete, words);
    let words = "nodes \"n2\" is forbidden: User \"system:node:n1\" cannot get resource \"nodes\" in API group \"\" at the cluster scope: node 'n1' cannot read 'n2', only its own Node object";
    forbidden(world.get("/api/v1/nodes/n2"), words);
}

#[test]
fn it_may_not_see_or_end_pods_of_other_nodes() {
    let mut world = world();
    forbidden(
        world.evict("other-0", &json!({})),
        "pods \"other-0\" is forbidden: node n1 can only evict pods with spec.nodeName set to itself",
    );
    let words = "pods \"other-0\" is forbidden: node \"n1\" can only delete pods with spec.nodeName set to itself";
    forbidden(world.delete("other-0", &Value::Null), words);
    let words = "pods \"other-0\" is forbidden: User \"system:node:n1\" cannot get resource \"pods\" in API group \"\" in the namespace \"default\": no relationship found between node 'n1' and this object";
    forbidden(world.get("/api/v1/namespaces/default/pods/other-0"), words);
    let words = "pods is forbidden: User \"system:node:n1\" cannot list resource \"pods\" in API group \"\" at the cluster scope: can only list/watch pods with spec.nodeName field selector";
    forbidden(world.get("/api/v1/pods"), words);
    forbidden(world.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn2"), words);
    assert_eq!(refused(world.evict("gone-0", &json!({}))), (404, "pod \"gone-0\" not found".to_owned()));
}

#[test]
fn it_may_not_read_daemon_sets() {
    let mut world = world();
    let words = "daemonsets.apps \"cni\" is forbidden: User \"system:node:n1\" cannot get resource \"daemonsets\" in API group \"apps\" in the namespace \"default\"";
    forbidden(world.get("/apis/apps/v1/namespaces/default/daemonsets/cni"), words);
    world.user = User::Admin;
    world.get("/apis/apps/v1/namespaces/default/daemonsets/cni").unwrap();
}
