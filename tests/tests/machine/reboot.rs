//! A reboot keeps the membership.

use anyhow::{Context, ensure};
use quorate::messages::NOTICE_RECEIVED;
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::writer::Label;

use super::evidence::{Mark, in_order};
use super::scene::{ETCD, LIMIT, Scene, play_joined};

#[tokio::test]
async fn a_reboot_keeps_the_member_and_hands_over_before() -> anyhow::Result<()> {
    play_joined("reboot", 3, async |scene: &Scene| {
        let before = scene.member_ids(3).await?;
        let (witness, writer, machine) = (Witness::of(scene), scene.write().await?, scene.leader().await?);
        witness.count_voters();
        writer.forget_gaps();
        let leader = machine.leader().context("it is off")?;
        machine.run(&["systemctl", "reboot"]).await?;
        let again = || async { if machine.leader().is_some_and(|now| now != leader) { Ok(()) } else { Err("it is not".to_owned()) } };
        scene.until(LIMIT, "the machine to be booted again", again).await?;
        let after = scene.member_ids(3).await?;
        ensure!(after == before, "the members were {before:?} and are {after:?}");
        scene.settled(3, None).await?;
        let gap = writer.longest(Label::Graceful).context("there was no write")?.length;
        println!("{} ms without a write at most", gap.as_millis());
        let stopped = Mark::Unit(ETCD, "Stopped");
        let back = [Mark::Says("Shutting down."), Mark::Unit(ETCD, "Starting"), Mark::Step("start-member")];
        in_order(&machine, &[&[Mark::Event(NOTICE_RECEIVED), Mark::Step("move-leader"), stopped], &back[..]].concat())?;
        // An election without a handover takes a second or more.
        ensure!(gap.as_millis() < 900, "the leadership was not handed over: {gap:?} without a write");
        ensure!(witness.sightings().fewest_voters == Some(3), "the member was removed");
        scene.ends(3, writer).await
    })
    .await
}
