//! D1 and D3a: a cluster of one loses its only machine.

use quorate_lab::disasters::Row;

use super::stage::Stage;

#[tokio::test]
async fn one_of_one_dies_with_its_disk() -> anyhow::Result<()> {
    let stage = Stage::of(1).await?;
    let writer = stage.load(100).await?;
    let revision = stage.save().await?;
    stage.group.until_written(&writer, 20).await?;
    let (dead, since) = stage.all_die();
    let written = writer.stop().await;
    let took = stage.comes_back(&dead, since, 1).await?;
    let restored = stage.restored(revision, &written).await?;
    anyhow::ensure!(restored.lost >= 20, "20 writes came after the snapshot, and {} are lost", restored.lost);
    Row::new("D1a, D3a: one of one", "the machine and its disk", "its replacement restored the newest snapshot, once")
        .took(took)
        .revision(restored.revision)
        .lost(restored.lost, written.acked())
        .record()
}
