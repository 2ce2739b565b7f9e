//! Scaled to no server and back: the last one saves all that there is, and nothing is lost, under workers that never notice.

use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;

use super::away::state;
use super::plane::{CLUSTER, LIMIT, Plane};
use super::restore::{authority, kept, pods, put, run_pods, until_running};
use super::servers::in_order;

/// So long no server is there.
const AWAY: Duration = Duration::from_secs(5);

/// Down to no server, and waits until none is left. Whoever was there.
async fn emptied(plane: &Plane) -> anyhow::Result<Vec<InstanceId>> {
    let before = plane.lab.live(&plane.servers);
    plane.lab.operator(|api| api.set_desired_capacity(&plane.servers, 0)).map_err(|error| anyhow::anyhow!("{error}"))?;
    for instance in &before {
        plane.lab.until_gone(instance, LIMIT * 2).await?;
    }
    Ok(before)
}

/// The snapshot that the charter's last record names.
fn retired_to(plane: &Plane) -> anyhow::Result<String> {
    let record = plane.lab.charter(CLUSTER)?.pop().context("there is no charter")?;
    anyhow::ensure!(record["state"]["is"] == "retired", "{record:#}");
    record["state"]["key"].as_str().map(str::to_owned).context("it names no snapshot")
}

async fn down_and_up(servers: u32) -> anyhow::Result<()> {
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
    let told = ["stops etcd for its clients", "for this node alone", "takes the final snapshot", "nothing is lost", "its data aside"];
    in_order(last, &[&told[..], &["completes hook"]].concat());
    plane.lab.operator(|api| api.set_desired_capacity(&plane.servers, servers)).map_err(|error| anyhow::anyhow!("{error}"))?;
    plane.settled_as(2, servers as usize, 2, Some(&written)).await?;
    assert_eq!((kept(&plane).await?, authority(&plane)?), (40, ca));
    let claim = plane.lab.charter(CLUSTER)?.into_iter().find(|record| record["generation"] == 2).context("no second generation")?;
    assert_eq!(claim["origin"]["key"], key.as_str(), "{claim:#}");
    let after = pods(&plane);
    assert!(running.iter().all(|pod| after.get(pod.0) == Some(pod.1)), "{running:?} became {after:?}");
    for instance in &gone {
        assert!(plane.lab.node(CLUSTER, instance).is_none(), "{instance} has a Node");
    }
    assert_eq!(plane.lab.action_complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_only_server_scaled_to_nothing_and_back_has_every_acknowledged_write() -> anyhow::Result<()> {
    down_and_up(1).await
}

#[tokio::test]
async fn three_servers_scaled_to_nothing_and_back_have_every_acknowledged_write() -> anyhow::Result<()> {
    down_and_up(3).await
}
