//! Agents.

use std::time::Duration;

use quorate_lab::kubernetes::{PodSpec, Resource, workload};

use crate::world::{LONG, Machine, World};

const SOON: Duration = Duration::from_secs(20);

fn worker(world: &World, number: u8, first: &Machine) -> Machine {
    let mut worker = world.machine(number);
    worker.configure(&format!("server: {}\nnode-label: [tier=work]\n", first.url()));
    worker.start("agent");
    worker
}

#[tokio::test]
async fn a_worker_waits_for_a_server_and_is_not_ready_once_it_is_dead() {
    let world = World::start().await;
    let mut early = worker(&world, 5, &world.machine(0));
    let waits = || async { early.log().contains("failed to get CA certs") };
    world.until(SOON, &early, "it waits", waits).await;
    let first = world.founder().await;
    world.until(LONG, &early, "it is Ready", || async { world.is(&early, "Ready", "True") }).await;
    world.patch(&first.name, serde_json::json!({ "spec": { "unschedulable": true } })).await;
    let set = workload(Resource::ReplicaSets, "web", 2, &PodSpec::new("web"));
    world.cluster.with(|cluster, now| cluster.create(set, now)).unwrap();
    let running = |name: &str| world.cluster.with(|cluster, _| cluster.running_on(name));
    world.until(SOON, &early, "its pods run", || async { running(&early.name) == 2 }).await;
    let own = early.api_of("data/agent/kubelet.kubeconfig").await;
    assert_eq!(own.pods_on(&early.name).await.unwrap().len(), 2, "through its own load balancer, as itself");
    early.kill().await;
    world.until(SOON, &early, "nobody knows of it", || async { world.is(&early, "Ready", "Unknown") }).await;
    assert_eq!(running(&early.name), 0);
    early.start("agent");
    world.until(SOON, &early, "it is back", || async { world.is(&early, "Ready", "True") && running(&early.name) == 2 }).await;
}

#[tokio::test]
async fn a_node_under_a_used_name_is_rejected_until_the_old_node_is_deleted() {
    let world = World::start().await;
    let first = world.founder().await;
    let mut old = worker(&world, 5, &first);
    world.until(SOON, &old, "it is Ready", || async { world.is(&old, "Ready", "True") }).await;
    old.kill().await;
    std::fs::remove_file(old.disk.join("password")).unwrap();
    old.start("agent");
    world.until(SOON, &old, "it is rejected", || async { old.log().contains("Node password rejected, duplicate hostname") }).await;
    world.delete_node(&old).await;
    world.until(SOON, &old, "it is let in", || async { world.is(&old, "Ready", "True") }).await;
}

#[tokio::test]
async fn a_worker_goes_on_through_another_server() {
    let world = World::start().await;
    let mut first = world.founder().await;
    let second = world.joined(1, &first).await;
    let third = world.joined(2, &first).await;
    let worker = worker(&world, 5, &first);
    world.until(SOON, &worker, "it is Ready", || async { world.is(&worker, "Ready", "True") }).await;
    // Its load balancer learns the others within two seconds.
    tokio::time::sleep(Duration::from_secs(3)).await;
    first.kill().await;
    world.until(SOON, &second, "the dead one is not Ready", || async { world.is(&first, "Ready", "Unknown") }).await;
    world.until(SOON, &third, "the worker is", || async { world.is(&worker, "Ready", "True") }).await;
    let own = worker.api_of("data/agent/kubelet.kubeconfig").await;
    assert_eq!(own.is_schedulable(&worker.name).await.unwrap(), Some(true));
}
