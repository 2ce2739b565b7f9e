//! D3b: one of three dies, and the other two go on.

use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;
use quorate_lab::disasters::{Row, Took};
use quorate_lab::lab::LabOptions;
use quorate_lab::lab::writer::{Label, Writer};
use tokio::time::Instant;

use super::stage::{Stage, options};

/// Two election timeouts of etcd, and what a shared machine of two cores adds.
const WRITES_AGAIN: Duration = Duration::from_secs(5);

/// Kills the machine of one of three and waits until it is replaced.
async fn replaced(stage: &Stage, victim: &InstanceId, writer: &Writer) -> anyhow::Result<Took> {
    let (died, since) = (stage.lab().now(), Instant::now());
    stage.witness.count_voters();
    writer.label(Label::Kill);
    stage.lab().hard_kill(victim);
    stage.group.until_written(writer, 50).await?;
    stage.until_gone(std::slice::from_ref(victim)).await?;
    stage.group.settled(3, None).await?;
    let whole = since.elapsed();
    let writes = writer.longest(Label::Kill).context("no write came after the kill")?.length;
    ensure!(writes < WRITES_AGAIN, "no write was acknowledged for {} ms", writes.as_millis());
    removed_first(stage, victim, died).await?;
    Ok(Took { writes, whole })
}

/// The dead member went before the new one came, and a snapshot was taken before that.
async fn removed_first(stage: &Stage, victim: &InstanceId, died: Timestamp) -> anyhow::Result<()> {
    let seen = stage.seen();
    ensure!(seen.fewest_voters == Some(2) && seen.most_members == 3, "voters 3, 2, 3, and never 4: {seen:?}");
    let removed = *seen.removed_at.get(victim).context("it was never removed")?;
    let replacement = stage.group.live().pop().context("nobody lives")?;
    ensure!(removed < seen.voting_since[&replacement], "{replacement} was added before {victim} was removed");
    let snapshots = stage.snapshots().await?;
    let before = |at: u64| (died.0..=removed.0).contains(&at);
    let taken = snapshots.iter().any(|one| one["trigger"] == "change" && one["taken_at"].as_u64().is_some_and(before));
    ensure!(taken, "no snapshot was taken between the death at {died:?} and the removal at {removed:?}: {snapshots:#?}");
    Ok(())
}

async fn dies(row: Row, options: LabOptions, pick: impl AsyncFn(&Stage) -> anyhow::Result<InstanceId>) -> anyhow::Result<()> {
    let stage = Stage::with(options, 3).await?;
    let victim = pick(&stage).await?;
    let writer = stage.load(100).await?;
    let took = replaced(&stage, &victim, &writer).await?;
    let written = writer.stop().await;
    stage.kept_all(3, &written).await?;
    row.took(took).lost(0, written.acked()).record()
}

async fn follower(stage: &Stage) -> anyhow::Result<InstanceId> {
    Ok(stage.lab().followers(&stage.group.name).await?.remove(0))
}

#[tokio::test]
async fn the_leader_of_three_dies() -> anyhow::Result<()> {
    let row = Row::new(
        "D3b: one of three, the leader",
        "the machine and its disk",
        "removed after a snapshot, then its replacement joined as a learner",
    );
    dies(row, options()?, async |stage: &Stage| stage.lab().leader(&stage.group.name).await).await
}

#[tokio::test]
async fn a_follower_of_three_dies() -> anyhow::Result<()> {
    let row = Row::new(
        "D3b: one of three, a follower",
        "the machine and its disk",
        "removed after a snapshot, then its replacement joined as a learner",
    );
    dies(row, options()?, async |stage: &Stage| follower(stage).await).await
}
