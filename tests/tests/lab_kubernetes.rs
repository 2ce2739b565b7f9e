//! Groups of Kubernetes servers and workers in the lab, without Quorate's agent: the stand-ins are started by hand on what the machines bring along.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::process::Stdio;
use std::time::Duration;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::role::Role;
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::{Lab, LabOptions, binaries, distribution, processes};
use tokio::process::{Child, Command};

const LONG: Duration = Duration::from_secs(60);
const HOOK: Duration = Duration::from_secs(300);

/// What the agent would render, and the start that it would make.
fn start(lab: &Lab, instance: &InstanceId, kind: &str, rendered: &str) -> Child {
    let disk = lab.disk(instance);
    let config = distribution::config_dir(&disk);
    std::fs::create_dir_all(config.join("config.yaml.d")).unwrap();
    let token = distribution::token_file(&disk);
    let rendered =
        format!("node-name: {instance}\nnode-ip: {}\ntoken-file: {}\n{rendered}", lab.address(instance).unwrap(), token.display());
    std::fs::write(config.join("config.yaml.d/90-quorate.yaml"), rendered).unwrap();
    let mut command = Command::new(binaries::k3s().unwrap());
    command.arg(kind).arg("--config").arg(config.join("config.yaml")).env_clear().env(processes::MARK, disk);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

/// The instances, once each has been given its configuration.
async fn prepared(lab: &Lab, group: &GroupName, size: usize) -> Vec<InstanceId> {
    let baked = |instance: &InstanceId| distribution::config_dir(&lab.disk(instance)).join("stand-in.json").is_file();
    lab.until(LONG, "the machines", || async {
        let live = lab.live(group);
        if live.len() == size && live.iter().all(baked) { Ok(live) } else { Err(format!("{live:?}")) }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn two_servers_and_a_worker_of_the_labs_groups_are_seen_as_such() {
    // An agent that ends at once: what it would do is done below.
    let options = LabOptions { quorate: "/usr/bin/true".into(), ..LabOptions::quick().unwrap() };
    let lab = Lab::start(options).await.unwrap();
    let servers = lab.create_group(lab.group_of(Role::ControlPlane, "servers", "prod", 2, HOOK)).unwrap();
    let workers = lab.create_group(lab.group_of(Role::Worker, "workers", "prod", 1, HOOK)).unwrap();
    let witness = Witness::of(&lab);
    let (machines, worker) = (prepared(&lab, &servers, 2).await, prepared(&lab, &workers, 1).await.remove(0));
    let first = format!("server: https://{}:6443\n", lab.address(&machines[0]).unwrap());
    let _worker = start(&lab, &worker, "agent", &first);
    let _first = start(&lab, &machines[0], "server", "cluster-init: true\n");
    lab.until(LONG, "the first server", || async { lab.node("prod", &machines[0]).map(drop).ok_or("no Node".to_owned()) }).await.unwrap();
    assert!(lab.until_servers(&servers, "prod", 2, Duration::from_secs(1)).await.is_err(), "one is not two");
    let _second = start(&lab, &machines[1], "server", &first);
    lab.until_servers(&servers, "prod", 2, LONG).await.unwrap();
    lab.until_workers(&workers, "prod", 1, LONG).await.unwrap();
    let writer = lab.write_to_servers(&servers, "/load/").unwrap();
    lab.until(LONG, "some writes", || async { if writer.acked() > 20 { Ok(()) } else { Err(format!("{:?}", writer.last_failure())) } })
        .await
        .unwrap();
    let written = writer.stop().await;
    let addresses: Vec<_> = machines.iter().map(|instance| lab.address(instance).unwrap()).collect();
    assert_eq!(written.lost(&addresses).await.unwrap(), Vec::<u64>::new());
    let seen = witness.sightings();
    assert_eq!((seen.clusters.len(), seen.voting_since.keys().cloned().collect::<Vec<_>>()), (1, sorted(&machines)));
}

fn sorted(instances: &[InstanceId]) -> Vec<InstanceId> {
    let mut instances = instances.to_vec();
    instances.sort();
    instances
}
