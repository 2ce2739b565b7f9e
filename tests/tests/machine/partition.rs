//! The network between the machines.

use std::time::Duration;

use anyhow::ensure;
use quorate_lab::lab::witness::Witness;
use tokio::time::{Instant, sleep};

use super::scene::{ETCD, Scene, play_joined};

/// An operator asks at 3 a.m., when the peers are silent.
const PROMPT: Duration = Duration::from_secs(1);

/// A partition is not a death: no node removes the one that is cut off, and that one only waits.
#[tokio::test]
async fn a_leader_that_is_cut_off_comes_back_as_the_same_member() -> anyhow::Result<()> {
    play_joined("partition", 3, async |scene: &Scene| {
        let before = scene.member_ids(3).await?;
        let (witness, writer, machine) = (Witness::of(scene), scene.write().await?, scene.leader().await?);
        witness.count_voters();
        let etcd = machine.unit(ETCD, "MainPID").await?;
        scene.cut_off(machine.instance())?;
        scene.until_written(&writer, 100).await?;
        sleep(Duration::from_secs(15)).await;
        let asked = Instant::now();
        let said = machine.run(&["quorate", "status"]).await;
        let took = asked.elapsed();
        println!("the one that is cut off answered after {} ms: {said:?}", took.as_millis());
        scene.heal(machine.instance())?;
        let after = scene.member_ids(3).await?;
        ensure!(after == before, "the members were {before:?} and are {after:?}");
        ensure!(machine.unit(ETCD, "MainPID").await? == etcd, "its etcd was restarted");
        ensure!(witness.sightings().fewest_voters == Some(3), "a member was removed");
        scene.ends(3, writer).await?;
        ensure!(took < PROMPT, "`quorate status` took {took:?} while the others were silent");
        Ok(())
    })
    .await
}
