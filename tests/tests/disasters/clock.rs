//! Clocks that are wrong by a day, in either direction.

use anyhow::{Context, ensure};
use quorate_core::ids::InstanceId;
use quorate_lab::lab::writer::Writer;
use rustix::process::Signal;

use super::stage::{Load, Stage};

/// The agent's own offset, in seconds.
const CLOCK: &str = "QUORATE_CLOCK_OFF_S";
const DAY: i64 = 86_400;

/// Starts this instance's agent again, with its clock off by this much.
async fn set(stage: &Stage, instance: &InstanceId, seconds: i64) -> anyhow::Result<()> {
    stage.lab().restart_agent(instance, Signal::TERM, Some((CLOCK, &seconds.to_string()))).await
}

/// The leader's agent lives tomorrow, a follower's yesterday; the third dies, then all do.
#[tokio::test]
async fn two_clocks_are_off_by_a_day() -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    let leader = stage.lab().leader(&stage.group.name).await?;
    let [behind, victim]: [InstanceId; 2] =
        stage.lab().followers(&stage.group.name).await?.try_into().map_err(|_| anyhow::anyhow!("not three"))?;
    set(&stage, &leader, DAY).await?;
    set(&stage, &behind, -DAY).await?;
    let writer = stage.load(100).await?;
    stage.lab().hard_kill(&victim);
    stage.group.until_gone(&[victim]).await?;
    let written = writer.stop().await;
    stage.kept_all(3, &written).await?;
    tomorrows(&stage, &leader).await?;
    // Under names of its own, so none of the first load's is mistaken for one of these.
    let addresses = stage.group.live().iter().map(|one| stage.lab().address(one)).collect::<anyhow::Result<_>>()?;
    let writer = Writer::start(addresses, "/later/");
    stage.group.until_written(&writer, 50).await?;
    let revision = stage.save().await?;
    stage.group.until_written(&writer, 20).await?;
    let restored = stage.restores(&stage.all_die_under(Load { writer, revision }).await, 3).await?;
    restored.row(
        "Clock: two of three off by a day",
        "the clocks of two agents, one ahead and one behind; one of three dies, then all",
        "replaced without loss; then the newest snapshot by revision was restored, not the one that is dated tomorrow",
    )
}

/// The leader's agent did take a snapshot that is dated tomorrow, or the scenario would show nothing.
async fn tomorrows(stage: &Stage, leader: &InstanceId) -> anyhow::Result<()> {
    let now = stage.lab().now();
    let snapshots = stage.group.snapshots().await?;
    let taken = snapshots.iter().filter(|one| one["taken_by"] == leader.as_str()).filter_map(|one| one["taken_at"].as_u64()).max();
    let taken = taken.context("the leader's agent took no snapshot")?;
    ensure!(taken > now.0 + 80_000_000, "its newest snapshot is dated {taken}, and now is {now:?}");
    Ok(())
}
