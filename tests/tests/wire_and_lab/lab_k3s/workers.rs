//! Workers come and go.

use std::time::Duration;

use quorate_lab::kubernetes::{PodSpec, Resource, budget, workload};
use quorate_lab::lab::LISTEN;
use quorate_lab::lab::url::http;
use serde_json::json;

use super::plane::{CLUSTER, LIMIT, Plane};

/// Its pods run elsewhere before it leaves, within their disruption budget; a server deletes its Node.
#[tokio::test]
async fn a_worker_that_its_group_terminates_is_drained() -> anyhow::Result<()> {
    let plane = Plane::of(1, 3).await?;
    plane.lab.kubernetes(CLUSTER).with(|cluster, now| {
        let pod = PodSpec::new("web").grace(5).stops_after(Duration::from_millis(500));
        cluster.create(workload(Resource::ReplicaSets, "web", 6, &pod), now).unwrap();
        cluster.create(budget("web", "web", &json!({ "minAvailable": 4 })), now).unwrap();
    });
    let running = || async {
        let pods = plane.lab.kubernetes(CLUSTER).with(|cluster, _| cluster.all(Resource::Pods).filter(|pod| is_ready(pod)).count());
        if pods == 6 { Ok(()) } else { Err(format!("{pods} of 6 pods run")) }
    };
    plane.lab.until(LIMIT, "the pods", running).await?;
    let worker = plane.lab.live(&plane.workers).into_iter().find(|one| pods_on(&plane, one.as_str()) > 0).expect("no worker has a pod");
    let metrics = reqwest::get(http(plane.lab.address(&worker)?, LISTEN.metrics) + "/metrics").await?.text().await?;
    let readable = |source: &str| metrics.contains(&format!("quorate_source_readable{{source=\"{source}\"}} 1"));
    assert!(readable("imds") && !metrics.contains("source=\"etcd\""), "a worker has no etcd to read:\n{metrics}");
    plane.replace(&worker)?;
    let mut fewest = usize::MAX;
    let gone = || async {
        let ready = plane.lab.kubernetes(CLUSTER).with(|cluster, _| cluster.all(Resource::Pods).filter(|pod| is_ready(pod)).count());
        let node = plane.lab.node(CLUSTER, &worker).is_some();
        if node { Err(format!("{ready} pods are ready, and its Node is there")) } else { Ok(ready) }
    };
    fewest = fewest.min(plane.lab.until(LIMIT, "the worker's Node to go", gone).await?);
    assert!(fewest >= 4, "{fewest} pods were ready");
    assert_eq!(pods_on(&plane, worker.as_str()), 0);
    plane.settled(1, 3, None).await?;
    let log = plane.lab.log(&worker);
    assert!(log.contains("drains its node") && log.contains("stops its kubelet"), "{log}");
    Ok(())
}

/// A server deletes its Node once EC2 says that the instance has ended. No agent completes its hook: it times out.
#[tokio::test]
async fn the_node_of_a_worker_that_lost_its_hardware_is_deleted() -> anyhow::Result<()> {
    let plane = Plane::of(1, 2).await?;
    let worker = plane.lab.live(&plane.workers)[0].clone();
    plane.lab.hard_kill(&worker);
    let gone = || async { if plane.lab.node(CLUSTER, &worker).is_none() { Ok(()) } else { Err("it is there".to_owned()) } };
    plane.lab.until(LIMIT, "its Node to go", gone).await?;
    plane.lab.until_workers(&plane.workers, CLUSTER, 2, LIMIT).await
}

fn pods_on(plane: &Plane, node: &str) -> usize {
    plane.lab.kubernetes(CLUSTER).with(|cluster, _| cluster.pods_on(node).len())
}

fn is_ready(pod: &serde_json::Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null() && pod["status"]["phase"] == "Running"
}
