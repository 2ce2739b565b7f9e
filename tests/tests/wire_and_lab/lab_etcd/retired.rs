//! Scaled to nothing and back, with an agent that dies or a store that fails on the way. Without either it is among the disasters.

use std::collections::BTreeSet;

use anyhow::Context;

use super::crash::{points, revive};
use super::group::{CLUSTER, Group, LIMIT};

/// Scales to nothing, and waits until no instance is left.
async fn emptied(group: &Group) -> anyhow::Result<()> {
    group.resize(0)?;
    group.lab.until_in_service(&group.name, 0, LIMIT * 2).await
}

/// The snapshot that the charter's last record names, which must be a final one.
fn retired_to(group: &Group) -> anyhow::Result<String> {
    let record = group.lab.charter(CLUSTER)?.pop().context("there is no charter")?;
    anyhow::ensure!(record["state"]["is"] == "retired", "{record:#}");
    record["state"]["key"].as_str().map(str::to_owned).context("it names no snapshot")
}

/// The last voter's agent dies at this point, and is started again as a service manager would.
async fn retires_despite(point: &str) -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let writer = group.write()?;
    group.until_written(&writer, 20).await?;
    let instance = group.live().pop().context("nobody lives")?;
    group.arm(&instance, point).await?;
    let mut died = 0;
    tokio::select! {
        emptied = emptied(&group) => emptied,
        error = revive(&group, &mut died) => error,
    }?;
    anyhow::ensure!(died > 0, "no agent ever came to {point}");
    let written = writer.stop().await;
    retired_to(&group)?;
    group.resize(1)?;
    group.settled(1, Some(&written)).await
}

#[tokio::test]
async fn a_last_voter_that_dies_at_any_step_of_its_end_finishes_when_it_is_back() -> anyhow::Result<()> {
    for point in points(&["stop-member", "start-member", "take-snapshot", "create-record", "put-data-aside"]) {
        retires_despite(&point).await.context(point)?;
    }
    Ok(())
}

/// The store fails while the last voter leaves: it serves until the deadline is near, and says what is lost.
#[tokio::test]
async fn without_its_store_the_last_voter_waits_and_its_end_is_told() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let store = group.lab.store(CLUSTER);
    let away = store.with_extension("away");
    std::fs::rename(&store, &away)?;
    let instance = group.live().pop().context("nobody lives")?;
    group.resize(0)?;
    group.until_says(&instance, "its data is to be saved, but the charter cannot be read").await?;
    anyhow::ensure!(group.lab.etcd_process(&instance).is_some(), "it no longer serves");
    std::fs::rename(&away, &store)?;
    group.lab.until_gone(&instance, LIMIT).await?;
    retired_to(&group)?;
    let restored: BTreeSet<u64> = group.established()?;
    assert_eq!(restored, BTreeSet::from([1]));
    Ok(())
}
