//! Every machine replaced, one after the other, under load.

use anyhow::ensure;
use quorate_lab::lab::writer::Label;
use quorate_lab::region::RefreshPreferences;

use super::scene::{LIMIT, Scene, play_joined, seconds};

#[tokio::test]
async fn every_machine_is_replaced_under_load_without_a_lost_write() -> anyhow::Result<()> {
    play_joined("refresh", 3, async |scene: &Scene| {
        let (before, writer, begun) = (scene.live(), scene.write().await?, scene.now());
        scene.refresh(&scene.name, RefreshPreferences::launch_before_terminate(), LIMIT * 3).await?;
        let gap = writer.longest(Label::Graceful).map(|gap| gap.length).unwrap_or_default();
        println!("refreshed after {:.1} s; {} ms without a write at most", seconds(begun, scene.now()), gap.as_millis());
        scene.settled(3, None).await?;
        ensure!(scene.live().iter().all(|instance| !before.contains(instance)), "not every machine was replaced");
        scene.ends(3, writer).await
    })
    .await
}
