//! Servers that leave: by annotation, by the deletion of their Node; and what they do afterwards.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::world::{LONG, Machine, World};

/// Until etcd has trusted its connections for five seconds, the handler has looked, and k3s has ended.
const SOON: Duration = Duration::from_secs(25);

/// The member has been removed, and its k3s has ended because of that.
async fn removed(machine: &mut Machine) {
    let status = tokio::time::timeout(SOON, machine.ended()).await.unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(machine.log().contains("this node has been removed from the cluster please restart k3s to rejoin the cluster"));
    assert!(machine.data("server/db/etcd/tombstone").exists());
}

fn backups(machine: &Machine) -> usize {
    let entries = fs::read_dir(machine.data("server/db")).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("etcd-backup-")).count()
}

#[tokio::test]
async fn the_annotation_removes_the_member_and_a_restart_joins_again_under_a_new_name() {
    let world = World::start().await;
    let first = world.founder().await;
    let mut second = world.joined(1, &first).await;
    let name = second.etcd_name();
    world.annotate(&second, "remove", "true").await;
    removed(&mut second).await;
    world
        .until(SOON, &first, "it is said to be done", || async { world.annotation(&second, "removed-node-name") == Some(name.clone()) })
        .await;
    assert_eq!(first.voters().await, std::slice::from_ref(&first.name));
    world.until(SOON, &first, "it counts for no member", || async { world.is(&second, "EtcdIsVoter", "False") }).await;
    second.start("server");
    world.until(LONG, &second, "it votes again", || async { first.voters().await.len() == 2 && world.votes(&second) }).await;
    assert_eq!((backups(&second), second.etcd_name() == name), (1, false));
    world.until(SOON, &second, "it is not removed again", || async { world.annotation(&second, "remove").is_none() }).await;
}

#[tokio::test]
async fn a_removed_founder_with_cluster_init_alone_founds_a_second_cluster() {
    let world = World::start().await;
    let mut first = world.founder().await;
    let second = world.joined(1, &first).await;
    let name = first.etcd_name();
    world.annotate(&first, "remove", "true").await;
    removed(&mut first).await;
    first.start("server");
    world.until(LONG, &first, "it serves alone", || async { first.voters().await == [first.name.clone()] }).await;
    assert_ne!(first.etcd_name(), name);
    world.until(SOON, &second, "so does the other", || async { second.voters().await == [second.name.clone()] }).await;
}

#[tokio::test]
async fn deleting_the_node_removes_the_member_before_the_node_goes() {
    let world = World::start().await;
    let first = world.founder().await;
    let mut second = world.joined(1, &first).await;
    let held = |name: &str| world.node(name).is_some_and(|node| node["metadata"].get("finalizers").is_some());
    world.until(SOON, &first, "the Node is held", || async { held(&second.name) }).await;
    world.delete_node(&second).await;
    assert!(world.node(&second.name).is_some());
    removed(&mut second).await;
    world.until(SOON, &first, "the Node is gone", || async { world.node(&second.name).is_none() }).await;
    assert_eq!(first.voters().await, std::slice::from_ref(&first.name));
}

#[tokio::test]
async fn a_member_is_removed_only_if_name_and_address_match() {
    let world = World::start().await;
    let first = world.founder().await;
    let second = world.joined(1, &first).await;
    let labels = json!({ "node-role.kubernetes.io/etcd": "true" });
    let annotations = json!({
        "etcd.k3s.cattle.io/node-name": second.etcd_name(), "etcd.k3s.cattle.io/node-address": "192.0.2.1", "etcd.k3s.cattle.io/remove": "true",
    });
    let other = json!({ "kind": "Node", "metadata": { "name": "other", "labels": labels, "annotations": annotations }, "spec": {} });
    world.cluster.with(|cluster, now| cluster.create(other, now)).unwrap();
    let done = || async {
        world.node("other").is_some_and(|node| !node["metadata"]["annotations"]["etcd.k3s.cattle.io/removed-node-name"].is_null())
    };
    world.until(SOON, &first, "it is taken for done", done).await;
    assert_eq!(first.voters().await, [first.name.clone(), second.name.clone()]);
}
