//! D1, D5, D6 and D7: servers of a control plane die or are sent away, one after the other or all at once, and the workers never notice.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_lab::disasters::{Row, Took};
use quorate_lab::kubernetes::{PodSpec, Resource, workload};
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::writer::Label;
use serde_json::Value;
use tokio::time::Instant;

use super::loss::{CameBack, comes_back, down_and_up};
use super::plane::{CLUSTER, LIMIT, Plane};

const PODS: u32 = 4;

/// The pods that run on workers, by uid, with their phase and how often they were restarted; and each worker's k3s process and Node.
fn workers(plane: &Plane) -> BTreeMap<String, String> {
    let live = plane.lab.live(&plane.workers);
    let of_worker = |worker: &quorate_core::ids::InstanceId| {
        let node = plane.lab.node(CLUSTER, worker).map(|node| format!("{} {}", node["metadata"]["uid"], node["spec"]));
        (worker.to_string(), format!("{:?} {}", plane.k3s(worker), node.unwrap_or_default()))
    };
    let mut all: BTreeMap<_, _> = live.iter().map(of_worker).collect();
    plane.lab.kubernetes(CLUSTER).with(|cluster, _| {
        let on_worker = |pod: &&Value| live.iter().any(|worker| pod["spec"]["nodeName"] == worker.as_str());
        for pod in cluster.all(Resource::Pods).filter(on_worker) {
            all.insert(pod["metadata"]["uid"].to_string(), format!("{} {}", pod["spec"]["nodeName"], pod["status"]["phase"]));
        }
    });
    all
}

#[tokio::test]
async fn two_servers_of_three_die_one_after_the_other() -> anyhow::Result<()> {
    let plane = Plane::of(3, 2).await?;
    let witness = Witness::of(&plane.lab);
    whoami(&plane).await?;
    let before = workers(&plane);
    let writer = plane.lab.write_to_servers(&plane.servers, "/load/")?;
    let (mut writes, mut whole) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..2 {
        let leader = plane.lab.leader(&plane.servers).await?;
        writer.label(Label::Kill);
        let since = Instant::now();
        plane.lab.hard_kill(&leader);
        plane.lab.until_gone(&leader, LIMIT).await?;
        plane.settled(3, 2, None).await?;
        whole = whole.max(since.elapsed());
        writes = writes.max(writer.longest(Label::Kill).context("no write came after the kill")?.length);
    }
    let written = writer.stop().await;
    plane.settled(3, 2, Some(&written)).await?;
    let after = workers(&plane);
    ensure!(before == after, "workers or their pods were touched: {before:#?} became {after:#?}");
    ensure!(witness.sightings().clusters.len() == 1, "{:?}", witness.sightings().clusters);
    Row::new(
        "D5: servers of a control plane, one after the other",
        "two servers and their disks, the leader each time",
        "each removed and replaced; pods on workers kept running, with their uids",
    )
    .took(Took { writes, whole })
    .lost(0, written.acked())
    .record()
}

/// The application runs on workers, and is looked at there.
async fn whoami(plane: &Plane) -> anyhow::Result<()> {
    let made = plane.lab.kubernetes(CLUSTER).with(|cluster, now| {
        let pod = PodSpec::new("whoami").grace(5).stops_after(Duration::from_millis(500));
        cluster.create(workload(Resource::ReplicaSets, "whoami", PODS, &pod), now).map(drop)
    });
    made.map_err(|status| anyhow::anyhow!("{status:?}"))?;
    let running = || async {
        let live = plane.lab.live(&plane.workers);
        let all = plane.lab.kubernetes(CLUSTER).with(|cluster, _| {
            let phases: Vec<String> = cluster.all(Resource::Pods).map(|pod| pod["status"]["phase"].to_string()).collect();
            let on_workers: usize = live.iter().map(|worker| cluster.pods_on(worker.as_str()).len()).sum();
            (phases.len(), phases.iter().filter(|phase| *phase == "\"Running\"").count(), on_workers)
        });
        if all.0 == PODS as usize && all.1 == all.0 && all.2 > 0 { Ok(()) } else { Err(format!("all, running, on workers: {all:?}")) }
    };
    plane.lab.until(LIMIT, "the pods", running).await
}

fn row(came: &CameBack, scenario: &'static str, failed: &'static str, came_back: &'static str) -> anyhow::Result<()> {
    Row::new(scenario, failed, came_back).settled_after(came.whole).revision(came.revision).lost(came.lost, came.acknowledged).record()
}

#[tokio::test]
async fn the_only_server_dies() -> anyhow::Result<()> {
    row(
        &comes_back(1, 2, async |_| Ok(())).await?,
        "D1a: the only server of a control plane",
        "the machine and its disk; two workers live on",
        "its replacement restored the newest snapshot and the same authority; pods kept running, workers came back without a reboot",
    )
}

#[tokio::test]
async fn only_workers_are_left() -> anyhow::Result<()> {
    row(
        &comes_back(3, 2, async |_| Ok(())).await?,
        "D6: three of three servers, only workers left",
        "three machines and their disks at once; two workers live on",
        "one replacement restored the newest snapshot, two joined it; pods kept running, the same authority, nothing of the dead left",
    )
}

#[tokio::test]
async fn the_only_server_is_sent_away() -> anyhow::Result<()> {
    row(
        &down_and_up(1).await?,
        "D1b, D7: the only server of a control plane scaled to nothing, and back",
        "nothing: the server left; two workers live on",
        "its final snapshot was restored, to which it had retired the cluster; pods kept running",
    )
}
