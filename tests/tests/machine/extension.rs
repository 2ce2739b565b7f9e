//! A system such as Flatcar: nobody can write `/usr`, and agent and etcd come with an image that systemd-sysext merges at boot.

use anyhow::{Context, ensure};
use quorate_lab::machine::network::API;
use quorate_lab::machine::{Machine, System};

use super::boot::up;
use super::evidence::{Mark, in_order};
use super::leave::{By, leader_goes_off};
use super::reboot::until_booted_again;
use super::scene::{AGENT, ETCD, LIMIT, Scene, play_on};

/// What is merged by the time at which anything of it runs.
const MERGED: &str = "systemd-sysext.service";

#[tokio::test]
async fn an_image_merged_on_a_read_only_usr_joins_stays_over_a_reboot_and_leaves_at_a_power_off() -> anyhow::Result<()> {
    play_on(System::Extended, "extension", 3, async |scene: &Scene| {
        scene.joined(3).await?;
        for machine in scene.machines()? {
            works(scene, &machine).await?;
        }
        let (before, machine) = (scene.member_ids(3).await?, scene.leader().await?);
        checks(&machine).await?;
        until_booted_again(scene, &machine).await?;
        scene.settled(3, None).await?;
        works(scene, &machine).await?;
        let back = [Mark::Step("move-leader"), Mark::Unit(ETCD, "Stopped"), Mark::Says("Shutting down."), Mark::Step("start-member")];
        in_order(&machine, &back)?;
        let after = scene.member_ids(3).await?;
        ensure!(after == before, "the members were {before:?} and are {after:?}");
        leader_goes_off(scene, By::Logind, async |_: &Scene, machine: &Machine| machine.logind("PowerOff").await).await
    })
    .await
}

/// The image is merged on what cannot be written, and all of it is up.
async fn works(scene: &Scene, machine: &Machine) -> anyhow::Result<()> {
    scene.until(LIMIT, "every unit to be up", || async { up(machine).await }).await?;
    let status = machine.run(&["systemd-sysext", "status"]).await?;
    ensure!(status.lines().any(|line| line.starts_with("/usr") && line.contains("quorate")), "the image is not merged: {status}");
    let refused = machine.run(&["touch", "/usr/written"]).await.err().context("/usr can be written")?;
    ensure!(format!("{refused:#}").contains("Read-only file system"), "{refused:#}");
    for program in ["quorate", "etcd"] {
        ensure!(!machine.disk().join("usr/bin").join(program).exists(), "{program} is there without the image");
    }
    ensure!(machine.run(&["systemctl", "--failed", "--plain", "--no-legend"]).await?.is_empty(), "a unit of {} failed", machine.name());
    in_order(machine, &[Mark::Unit(MERGED, "Finished"), Mark::Unit(AGENT, "Started"), Mark::Unit(ETCD, "Started")])
}

/// Nothing that the system reads at boot came too late.
async fn checks(machine: &Machine) -> anyhow::Result<()> {
    let found = machine.run(&["env", &format!("AWS_ENDPOINT_URL=http://{API}"), "quorate", "check"]).await?;
    println!("quorate check on {}:\n{found}", machine.name());
    ensure!(found.contains("delays a shutdown by at most 900s"), "logind has not read its file: {found}");
    ensure!(found.contains("started by quorate-image.service, active"), "what starts the agent is not known: {found}");
    let explained = machine.run(&["journalctl", "--catalog", "--quiet", "--no-pager", "--unit", AGENT]).await?;
    ensure!(explained.contains("Subject:"), "the catalog does not explain the agent's messages");
    Ok(())
}
