//! No API server answers: workloads on workers never notice.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_lab::lab::processes;
use rustix::process::Signal;
use tokio::time::sleep;

use super::plane::{CLUSTER, Plane};

/// While the servers are frozen no worker's agent touches its unit, its files, its pods or its Node; and it asks AWS for servers, and for nothing else.
#[tokio::test]
async fn a_worker_does_nothing_while_the_control_plane_is_away() -> anyhow::Result<()> {
    const AWAY: Duration = Duration::from_secs(15);
    let plane = Plane::of(3, 2).await?;
    let before = state(&plane);
    let servers = plane.lab.live(&plane.servers);
    let frozen: Vec<_> = servers.iter().flat_map(|server| processes::under(&plane.lab.disk(server))).collect();
    frozen.iter().for_each(|process| process.signal(Signal::STOP));
    sleep(AWAY).await;
    let meanwhile = state(&plane);
    frozen.iter().for_each(|process| process.signal(Signal::CONT));
    assert_eq!(meanwhile, before, "a worker was touched");
    for worker in plane.lab.live(&plane.workers) {
        let log = plane.lab.log(&worker);
        assert!(log.contains("no server answers"), "{worker} did not notice:\n{log}");
    }
    plane.settled(3, 2, None).await?;
    assert_eq!(state(&plane).into_keys().collect::<Vec<_>>(), before.into_keys().collect::<Vec<_>>());
    Ok(())
}

/// Of each worker: its k3s process, its rendered configuration, its Node's spec and what an agent marks on it.
pub(crate) fn state(plane: &Plane) -> BTreeMap<String, (Option<i32>, String, String)> {
    let of = |worker: &quorate_core::ids::InstanceId| {
        let disk = plane.lab.disk(worker);
        let rendered = std::fs::read_to_string(disk.join("k3s/config/config.yaml.d/90-quorate.yaml")).unwrap_or_default();
        let node = plane.lab.node(CLUSTER, worker).map(|node| format!("{} {}", node["spec"], node["metadata"]["annotations"]));
        (plane.k3s(worker), rendered, node.unwrap_or_default())
    };
    plane.lab.live(&plane.workers).iter().map(|worker| (worker.to_string(), of(worker))).collect()
}
