//! A reboot keeps the membership.

use anyhow::{Context, ensure};
use quorate::messages::NOTICE_RECEIVED;
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::writer::{Label, Writer};
use quorate_lab::machine::Machine;

use super::evidence::{Mark, in_order, precedes};
use super::leave::TELLS;
use super::scene::{AGENT, ETCD, LIMIT, Scene, play_joined};

/// An election without a handover takes a second or more.
const HANDOVER_MS: u128 = 900;

#[tokio::test]
async fn a_reboot_keeps_the_member_and_hands_over_before() -> anyhow::Result<()> {
    play_joined("reboot", 3, async |scene: &Scene| {
        let before = scene.member_ids(3).await?;
        let (witness, writer, machine) = (Witness::of(scene), scene.write().await?, scene.leader().await?);
        witness.count_voters();
        writer.forget_gaps();
        until_booted_again(scene, &machine).await?;
        let after = scene.member_ids(3).await?;
        ensure!(after == before, "the members were {before:?} and are {after:?}");
        scene.settled(3, None).await?;
        handed_over(&writer)?;
        let rests = [Mark::Event(NOTICE_RECEIVED), Mark::Step("move-leader"), Mark::Unit(ETCD, "Stopped")];
        let back = [Mark::Says("Shutting down."), Mark::Unit(ETCD, "Starting"), Mark::Step("start-member")];
        in_order(&machine, &[&rests[..], &back[..]].concat())?;
        // Where logind tells what the shutdown is, etcd rests before anything is stopped.
        let (rests, stops) = (Mark::Event(NOTICE_RECEIVED), Mark::Unit(AGENT, "Stopping"));
        if machine.systemd().await? >= TELLS {
            precedes(&machine, Mark::Unit(ETCD, "Stopped"), stops)?;
            let leader = scene.leader().await?;
            restarts_its_userspace(scene, &leader, &writer).await?;
        } else {
            precedes(&machine, stops, rests)?;
        }
        ensure!(scene.member_ids(3).await? == before, "the members changed");
        ensure!(witness.sightings().fewest_voters == Some(3), "the member was removed");
        scene.ends(3, writer).await
    })
    .await
}

/// Reboots it, and returns when it has been booted again.
pub(crate) async fn until_booted_again(scene: &Scene, machine: &Machine) -> anyhow::Result<()> {
    let leader = machine.leader().context("it is off")?;
    machine.run(&["systemctl", "reboot"]).await?;
    let again = || async { if machine.leader().is_some_and(|now| now != leader) { Ok(()) } else { Err("it is not".to_owned()) } };
    scene.until(LIMIT, "the machine to be booted again", again).await
}

fn handed_over(writer: &Writer) -> anyhow::Result<()> {
    let gap = writer.longest(Label::Graceful).context("there was no write")?.length;
    println!("{} ms without a write at most", gap.as_millis());
    ensure!(gap.as_millis() < HANDOVER_MS, "the leadership was not handed over: {gap:?} without a write");
    Ok(())
}

/// Everything but the kernel starts again, and `/run` stays: the boot's id too, and what the agent and etcd left there.
async fn restarts_its_userspace(scene: &Scene, machine: &Machine, writer: &Writer) -> anyhow::Result<()> {
    let etcd = machine.unit(ETCD, "MainPID").await?;
    writer.forget_gaps();
    machine.run(&["systemctl", "soft-reboot"]).await?;
    let again = || async {
        let say = |error| format!("{error:#}");
        let count = machine.run(&["systemctl", "show", "--value", "--property=SoftRebootsCount"]).await.map_err(say)?;
        let pid = machine.unit(ETCD, "MainPID").await.map_err(say)?;
        if count.trim() == "1" && pid != "0" && pid != etcd {
            Ok(())
        } else {
            Err(format!("{} times, and etcd is process {pid}", count.trim()))
        }
    };
    scene.until(LIMIT, "the userspace to be started again", again).await?;
    scene.settled(3, None).await?;
    handed_over(writer)?;
    let marks = [Mark::Step("move-leader"), Mark::Unit(ETCD, "Stopped"), Mark::Unit(AGENT, "Stopping"), Mark::Step("start-member")];
    in_order(machine, &marks)
}
