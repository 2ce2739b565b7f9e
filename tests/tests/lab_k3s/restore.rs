//! Every server dies with its disk: the newest snapshot brings the control plane back, and the workers go on under it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use etcd_client::{Client, GetOptions};
use quorate_core::ids::InstanceId;
use quorate_lab::kubernetes::{PodSpec, Resource, workload};
use quorate_lab::lab::LabOptions;
use quorate_lab::lab::distribution;
use quorate_lab::lab::etcd::{Clients, Credentials};
use rustix::process::Signal;
use serde_json::Value;

use super::away::state;
use super::plane::{CLUSTER, LIMIT, Plane};

/// The etcd of a server that lives, as its agent reaches it.
async fn etcd(plane: &Plane) -> anyhow::Result<Client> {
    let server = plane.lab.live(&plane.servers).into_iter().next().context("no server lives")?;
    let credentials = Credentials::of_k3s(&distribution::data_dir(&plane.lab.disk(&server))).context("k3s has not started")?;
    Ok(Clients::default().with(plane.lab.address(&server)?, Some(credentials)).await?)
}

/// So many keys, each with its number for a value.
pub(crate) async fn put(plane: &Plane, keys: std::ops::Range<usize>) -> anyhow::Result<()> {
    let mut client = etcd(plane).await?;
    for index in keys {
        client.put(format!("/kept/{index:04}"), index.to_string(), None).await?;
    }
    Ok(())
}

pub(crate) async fn kept(plane: &Plane) -> anyhow::Result<usize> {
    let found = etcd(plane).await?.get("/kept/", Some(GetOptions::new().with_prefix())).await?;
    let right = |(index, kv): (usize, &etcd_client::KeyValue)| kv.key() == format!("/kept/{index:04}").as_bytes();
    ensure!(found.kvs().iter().enumerate().all(right), "there are gaps");
    Ok(found.kvs().len())
}

pub(crate) async fn save(plane: &Plane) -> anyhow::Result<()> {
    let server = plane.lab.leader(&plane.servers).await?;
    let printed = plane.lab.type_in(&server, "snapshot", &["save"]).await?;
    ensure!(printed.succeeded, "{printed:?}");
    Ok(())
}

/// The cluster's certificate authority, as every live node has or is shown it.
pub(crate) fn authority(plane: &Plane) -> anyhow::Result<String> {
    let files = plane.lab.live(&plane.servers).into_iter().map(|server| distribution::data_dir(&plane.lab.disk(&server)));
    let all: Vec<String> = files.map(|data| std::fs::read_to_string(data.join("server/tls/server-ca.crt"))).collect::<Result<_, _>>()?;
    ensure!(all.windows(2).all(|two| two[0] == two[1]), "the servers differ");
    all.into_iter().next().context("no server lives")
}

/// The pods on the workers, with their node and restarts.
pub(crate) fn pods(plane: &Plane) -> BTreeMap<String, String> {
    let workers = plane.lab.live(&plane.workers);
    let on = |pod: &Value| workers.iter().find(|worker| pod["spec"]["nodeName"] == worker.as_str()).cloned();
    plane.lab.kubernetes(CLUSTER).with(|cluster, _| {
        let all = cluster.all(Resource::Pods).filter_map(|pod| Some((pod["metadata"]["uid"].as_str()?.to_owned(), on(pod)?.to_string())));
        all.collect()
    })
}

pub(crate) fn run_pods(plane: &Plane) {
    let set = workload(Resource::ReplicaSets, "whoami", 6, &PodSpec::new("whoami"));
    plane.lab.kubernetes(CLUSTER).with(|cluster, now| cluster.create(set, now)).unwrap();
}

pub(crate) async fn until_running(plane: &Plane, count: usize) -> anyhow::Result<()> {
    let nodes: Vec<InstanceId> = [&plane.servers, &plane.workers].iter().flat_map(|group| plane.lab.live(*group)).collect();
    let running = || async {
        let all: usize = plane.lab.kubernetes(CLUSTER).with(|cluster, _| nodes.iter().map(|node| cluster.running_on(node.as_str())).sum());
        if all == count { Ok(()) } else { Err(format!("{all} of {count} run")) }
    };
    plane.lab.until(LIMIT, "the pods", running).await
}

/// All servers die at once, with everything on their disks. Their group has begun to replace them when this returns.
async fn servers_die(plane: &Plane) -> anyhow::Result<Vec<InstanceId>> {
    let dead = plane.lab.live(&plane.servers);
    dead.iter().for_each(|instance| plane.lab.hard_kill(instance));
    let replaced = || async { if plane.lab.live(&plane.servers).iter().all(|one| dead.contains(one)) { Err("not yet") } else { Ok(()) } };
    plane.lab.until(LIMIT, "a replacement", || async { replaced().await.map_err(str::to_owned) }).await?;
    Ok(dead)
}

/// What every total loss must come to: the snapshot's data, the same authority, the workers' pods untouched, and nothing of the dead.
async fn comes_back(servers: usize, generation: u64, during: impl AsyncFnOnce(&Plane) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let plane = Plane::of(u32::try_from(servers)?, 2).await?;
    run_pods(&plane);
    until_running(&plane, 6).await?;
    put(&plane, 0..30).await?;
    save(&plane).await?;
    put(&plane, 30..40).await?;
    let later = workload(Resource::ReplicaSets, "later", 0, &PodSpec::new("later"));
    plane.lab.kubernetes(CLUSTER).with(|cluster, now| cluster.create(later, now)).unwrap();
    let (before, ca, running) = (state(&plane), authority(&plane)?, pods(&plane));
    ensure!(!running.is_empty(), "no pod runs on a worker");
    let dead = servers_die(&plane).await?;
    let meanwhile = state(&plane);
    during(&plane).await?;
    for instance in &dead {
        plane.lab.until_gone(instance, LIMIT).await?;
    }
    plane.settled_as(generation, servers, 2, None).await?;
    assert_eq!(meanwhile, before, "a worker was touched while no API server answered");
    assert_eq!(kept(&plane).await?, 30, "the snapshot's keys, and none of the 10 after it");
    let sets = plane
        .lab
        .kubernetes(CLUSTER)
        .with(|cluster, _| cluster.all(Resource::ReplicaSets).map(|set| set["metadata"]["name"].clone()).collect::<Vec<_>>());
    assert_eq!(sets, ["whoami"], "the snapshot's objects, and none of those after it");
    assert_eq!(authority(&plane)?, ca);
    let after = pods(&plane);
    assert!(running.iter().all(|pod| after.get(pod.0) == Some(pod.1)), "{running:?} became {after:?}");
    until_running(&plane, 6).await?;
    for instance in &dead {
        assert!(plane.lab.node(CLUSTER, instance).is_none(), "{instance} has a Node");
    }
    let origin = plane.lab.charter(CLUSTER)?.into_iter().find(|record| record["generation"] == generation).context("it is not there")?;
    assert_eq!(origin["origin"]["from"], "snapshot", "{origin:#}");
    let restored: Vec<_> = plane.lab.live(&plane.servers).iter().map(|server| plane.lab.log(server)).collect();
    let says = |log: &String| log.contains("every later write is lost");
    assert_eq!(restored.iter().filter(|log| says(log)).count(), 1, "{restored:#?}");
    assert_eq!(plane.lab.action_complaints(), Vec::<String>::new());
    // It lives on, under snapshots of its own.
    put(&plane, 30..35).await?;
    save(&plane).await
}

#[tokio::test]
async fn the_only_server_that_dies_comes_back_from_its_snapshot_under_its_workers() -> anyhow::Result<()> {
    comes_back(1, 2, async |_| Ok(())).await
}

#[tokio::test]
async fn three_servers_that_die_come_back_as_one_cluster_from_one_snapshot() -> anyhow::Result<()> {
    comes_back(3, 2, async |_| Ok(())).await
}

/// What its k3s had half restored is put aside, and done anew under another claim: the one before was of an agent that has ended.
#[tokio::test]
async fn a_restore_that_is_cut_short_is_done_anew() -> anyhow::Result<()> {
    comes_back(1, 3, async |plane| {
        let half = || async {
            let db = |server: &InstanceId| distribution::data_dir(&plane.lab.disk(server)).join("server/db");
            let restores = |server: &InstanceId| db(server).join("etcd.unproved").exists() && db(server).join("etcd/member").exists();
            plane.lab.live(&plane.servers).into_iter().find(restores).ok_or("not yet".to_owned())
        };
        let server = plane.lab.until(LIMIT, "a restore to be under way", half).await?;
        plane.lab.kill_agent(&server, Signal::KILL).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        plane.lab.start_agent(&server).await
    })
    .await
}

/// The token of the snapshot's time is not there: nothing is founded, and it is said.
#[tokio::test]
async fn without_its_token_a_snapshot_is_not_restored_and_nothing_is_founded() -> anyhow::Result<()> {
    let plane = Plane::launched_with(LabOptions::quick()?, 1, 0).await?;
    plane.settled(1, 0, None).await?;
    save(&plane).await?;
    plane.lab.change_settings(|settings| settings.text("kubernetes.token_file", "/proc/sys/kernel/ostype"));
    servers_die(&plane).await?;
    let refused = || async {
        let log = plane.lab.live(&plane.servers).first().map(|server| plane.lab.log(server)).unwrap_or_default();
        if log.contains("encrypted with different token") { Ok(()) } else { Err(log) }
    };
    plane.lab.until(LIMIT, "the refusal", refused).await?;
    let records = plane.lab.charter(CLUSTER)?;
    assert!(records.iter().all(|record| record["generation"] == 1 || record["state"]["is"] != "established"), "{records:#?}");
    Ok(())
}
