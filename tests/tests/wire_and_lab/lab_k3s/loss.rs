//! A control plane without any server, dead or sent away, under workers that continue; and what it must come back to.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use etcd_client::{Client, GetOptions};
use quorate_core::ids::InstanceId;
use quorate_lab::kubernetes::{PodSpec, Resource, workload};
use quorate_lab::lab::distribution;
use quorate_lab::lab::etcd::{Clients, Credentials};
use serde_json::Value;
use tokio::time::Instant;

use super::plane::{CLUSTER, LIMIT, Plane};

/// The etcd of a server that lives, as its agent reaches it.
async fn etcd(plane: &Plane) -> anyhow::Result<Client> {
    let server = plane.lab.live(&plane.servers).into_iter().next().context("no server lives")?;
    let credentials = Credentials::of_k3s(&distribution::data_dir(&plane.lab.disk(&server))).context("k3s has not started")?;
    Ok(Clients::default().with(plane.lab.address(&server)?, Some(credentials)).await?)
}

/// This number of keys, each with its number for a value.
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

/// The cluster's certificate authority, as every live node has it or gets it.
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
pub(crate) async fn servers_die(plane: &Plane) -> anyhow::Result<Vec<InstanceId>> {
    let dead = plane.lab.live(&plane.servers);
    dead.iter().for_each(|instance| plane.lab.hard_kill(instance));
    let replaced = || async { if plane.lab.live(&plane.servers).iter().all(|one| dead.contains(one)) { Err("not yet") } else { Ok(()) } };
    plane.lab.until(LIMIT, "a replacement", || async { replaced().await.map_err(str::to_owned) }).await?;
    Ok(dead)
}

/// How long it took until all was whole, and the acknowledged writes that were lost.
pub(crate) struct CameBack {
    pub(crate) whole: Duration,
    /// The last of the snapshot that was restored.
    pub(crate) revision: u64,
    pub(crate) lost: usize,
    pub(crate) acknowledged: usize,
}

/// The revision of the snapshot that this generation was made from: its key begins with it.
fn revision_of(plane: &Plane, generation: u64) -> anyhow::Result<u64> {
    let record = plane.lab.charter(CLUSTER)?.into_iter().find(|record| record["generation"] == generation).context("it is not there")?;
    let key = record["origin"]["key"].as_str().context("it is not from a snapshot")?;
    let revision = key.rsplit('/').next().and_then(|name| name.split('-').next());
    Ok(revision.context("a key without a revision")?.parse()?)
}

/// The required result of every total loss: the snapshot's data, the same authority, the workers' pods untouched, and nothing of the dead.
pub(crate) async fn comes_back(
    servers: usize,
    generation: u64,
    during: impl AsyncFnOnce(&Plane) -> anyhow::Result<()>,
) -> anyhow::Result<CameBack> {
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
    let since = Instant::now();
    let dead = servers_die(&plane).await?;
    let meanwhile = state(&plane);
    during(&plane).await?;
    for instance in &dead {
        plane.lab.until_gone(instance, LIMIT).await?;
    }
    plane.settled_as(generation, servers, 2, None).await?;
    let whole = since.elapsed();
    assert_eq!(meanwhile, before, "a worker was touched while no API server answered");
    assert_eq!(kept(&plane).await?, 30, "the snapshot's keys, and none of the 10 after it");
    let sets = plane
        .lab
        .kubernetes(CLUSTER)
        .with(|cluster, _| cluster.all(Resource::ReplicaSets).map(|set| set["metadata"]["name"].clone()).collect::<Vec<_>>());
    assert_eq!(sets, ["whoami"], "the snapshot's objects, and none of those after it");
    assert_eq!(authority(&plane)?, ca);
    nothing_of_the_dead(&plane, &dead, &running);
    until_running(&plane, 6).await?;
    let origin = plane.lab.charter(CLUSTER)?.into_iter().find(|record| record["generation"] == generation).context("it is not there")?;
    assert_eq!(origin["origin"]["from"], "snapshot", "{origin:#}");
    let restored: Vec<_> = plane.lab.live(&plane.servers).iter().map(|server| plane.lab.log(server)).collect();
    let message = |log: &String| log.contains("every later write is lost");
    assert_eq!(restored.iter().filter(|log| message(log)).count(), 1, "{restored:#?}");
    // The cluster lives on, with snapshots of its own.
    put(&plane, 30..35).await?;
    save(&plane).await?;
    Ok(CameBack { whole, revision: revision_of(&plane, generation)?, lost: 10, acknowledged: 40 })
}

/// The workers' pods run on, the dead servers have no Node, and every lifecycle action ended as it should.
pub(crate) fn nothing_of_the_dead(plane: &Plane, dead: &[InstanceId], running: &BTreeMap<String, String>) {
    let after = pods(plane);
    assert!(running.iter().all(|pod| after.get(pod.0) == Some(pod.1)), "{running:?} became {after:?}");
    for instance in dead {
        assert!(plane.lab.node(CLUSTER, instance).is_none(), "{instance} has a Node");
    }
    assert_eq!(plane.lab.action_complaints(), Vec::<String>::new());
}

/// How long there is no server.
const AWAY: Duration = Duration::from_secs(5);

/// Scales to no server, and waits until none is left. Returns those that were there.
async fn emptied(plane: &Plane) -> anyhow::Result<Vec<InstanceId>> {
    let before = plane.lab.live(&plane.servers);
    plane.lab.operator(|api| api.set_desired_capacity(&plane.servers, 0))?;
    plane.lab.until_in_service(&plane.servers, 0, LIMIT * 3).await?;
    Ok(before)
}

/// The snapshot that the charter's last record names.
fn retired_to(plane: &Plane) -> anyhow::Result<String> {
    let record = plane.lab.charter(CLUSTER)?.pop().context("there is no charter")?;
    anyhow::ensure!(record["state"]["is"] == "retired", "{record:#}");
    record["state"]["key"].as_str().map(str::to_owned).context("it names no snapshot")
}

/// Scales to no server and back: every acknowledged write is there, and no worker noticed.
pub(crate) async fn down_and_up(servers: u32) -> anyhow::Result<CameBack> {
    let plane = Plane::of(servers, 2).await?;
    run_pods(&plane);
    until_running(&plane, 6).await?;
    put(&plane, 0..40).await?;
    let ca = authority(&plane)?;
    let writer = plane.lab.write_to_servers(&plane.servers, "/load/")?;
    let gone = emptied(&plane).await?;
    let written = writer.stop().await;
    let (meanwhile, running) = (state(&plane), pods(&plane));
    anyhow::ensure!(!running.is_empty(), "no pod runs on a worker");
    tokio::time::sleep(AWAY).await;
    assert_eq!((state(&plane), pods(&plane)), (meanwhile, running.clone()), "a worker was touched while no API server answered");
    let key = retired_to(&plane)?;
    let logs: Vec<String> = gone.iter().map(|instance| plane.lab.log(instance)).collect();
    let last = logs.iter().find(|log| log.contains("retires the cluster")).context("nobody tells that it retires the cluster")?;
    let told = ["closes etcd to clients", "for this node alone", "takes the final snapshot", "nothing is lost", "its data to the trash"];
    in_order(last, &[&told[..], &["completes hook"]].concat());
    let since = Instant::now();
    plane.lab.operator(|api| api.set_desired_capacity(&plane.servers, servers))?;
    plane.settled_as(2, servers as usize, 2, Some(&written)).await?;
    let whole = since.elapsed();
    assert_eq!((kept(&plane).await?, authority(&plane)?), (40, ca));
    let claim = plane.lab.charter(CLUSTER)?.into_iter().find(|record| record["generation"] == 2).context("no second generation")?;
    assert_eq!(claim["origin"]["key"], key.as_str(), "{claim:#}");
    nothing_of_the_dead(&plane, &gone, &running);
    Ok(CameBack { whole, revision: revision_of(&plane, 2)?, lost: 0, acknowledged: written.acked() })
}

/// For each worker: its k3s process, its rendered configuration, its Node's spec and the agent's marks on it.
pub(crate) fn state(plane: &Plane) -> BTreeMap<String, (Option<i32>, String, String)> {
    let of = |worker: &quorate_core::ids::InstanceId| {
        let disk = plane.lab.disk(worker);
        let rendered = std::fs::read_to_string(distribution::config_dir(&disk).join("config.yaml.d/90-quorate.yaml")).unwrap_or_default();
        let node = plane.lab.node(CLUSTER, worker).map(|node| format!("{} {}", node["spec"], node["metadata"]["annotations"]));
        (plane.k3s(worker), rendered, node.unwrap_or_default())
    };
    plane.lab.live(&plane.workers).iter().map(|worker| (worker.to_string(), of(worker))).collect()
}

/// Each of these is logged, each after the one before.
pub(crate) fn in_order(log: &str, told: &[&str]) {
    let mut rest = log;
    for (number, what) in told.iter().enumerate() {
        let at = rest.find(what).unwrap_or_else(|| panic!("{what:?} is not logged after {:?}:\n{log}", &told[..number]));
        rest = &rest[at..];
    }
}
