//! Every machine replaced, one after the other, under load.

use anyhow::ensure;
use quorate_lab::lab::writer::Label;
use quorate_lab::region::{RefreshPreferences, RefreshStatus};

use super::scene::{LIMIT, Scene, play_joined, seconds};

#[tokio::test]
async fn every_machine_is_replaced_under_load_without_a_lost_write() -> anyhow::Result<()> {
    play_joined("refresh", 3, async |scene: &Scene| {
        let (before, writer, begun) = (scene.live(), scene.write().await?, scene.now());
        let preferences = Some(RefreshPreferences::launch_before_terminate());
        scene.operator(|api| api.start_instance_refresh(&scene.name, preferences)).map_err(|error| anyhow::anyhow!("{error}"))?;
        let refreshed = || async {
            let region = scene.region().lock();
            let status = region.group(&scene.name).and_then(|group| group.refreshes.last().map(|refresh| refresh.status));
            if status == Some(RefreshStatus::Successful) { Ok(()) } else { Err(format!("it is {status:?}")) }
        };
        scene.until(LIMIT * 3, "the refresh", refreshed).await?;
        let gap = writer.longest(Label::Graceful).map(|gap| gap.length).unwrap_or_default();
        println!("refreshed after {:.1} s; {} ms without a write at most", seconds(begun, scene.now()), gap.as_millis());
        scene.settled(3, None).await?;
        ensure!(scene.live().iter().all(|instance| !before.contains(instance)), "not every machine was replaced");
        scene.ends(3, writer).await
    })
    .await
}
