//! The ways in which a machine ends for good, of its own accord or its group's: its member has left before it is off.

use std::time::Duration;

use anyhow::{Context, ensure};
use quorate::messages::{HOOK_COMPLETED, LEAVING, LEFT, NOTICE_RECEIVED};
use quorate_core::time::Timestamp;
use quorate_lab::lab::witness::Witness;
use quorate_lab::machine::Machine;
use quorate_lab::region::{Ec2State, LifecycleAction, Transition};
use tokio::time::sleep;

use super::evidence::{Mark, in_order, precedes, tell};
use super::scene::{AGENT, ETCD, LIMIT, Scene, play_joined, seconds};

/// The course of every leader's leave. It puts its data aside once the others confirm.
const LEAVE: [Mark; 4] = [Mark::Step("move-leader"), Mark::Step("remove-member"), Mark::Step("put-data-aside"), Mark::Event(LEFT)];
/// The first version of systemd whose logind tells a power-off from a reboot before it begins.
pub(crate) const TELLS: u32 = 255;
/// From a change to the witness's knowledge of it.
const NOTICED: Duration = Duration::from_millis(600);

#[tokio::test]
async fn a_machine_that_its_group_terminates_leaves_completes_its_hook_and_is_off() -> anyhow::Result<()> {
    play_joined("terminate", 3, async |scene: &Scene| {
        let (witness, writer, machine) = (Witness::of(scene), scene.write().await?, scene.leader().await?);
        let (instance, begun) = (machine.instance(), scene.now());
        scene.operator(|api| api.terminate_in_group(instance, false))?;
        let off = scene.until_off(instance).await?;
        let completed = completed(scene, &machine)?;
        let left = left(&witness, &machine)?;
        println!(
            "left after {:.1} s, hook completed after {:.1} s, off after {:.1} s",
            seconds(begun, left),
            seconds(begun, completed),
            seconds(begun, off)
        );
        ensure!(left <= completed + NOTICED && completed <= off, "the order is wrong");
        in_order(&machine, &[&LEAVE[..], &[Mark::Says("Shutting down.")]].concat())?;
        in_order(&machine, &[Mark::Event(LEAVING), Mark::Step("put-data-aside"), Mark::Event(HOOK_COMPLETED)])?;
        tell(&machine)?;
        scene.until_gone(instance, LIMIT).await?;
        scene.settled(3, None).await?;
        scene.ends(3, writer).await?;
        stays_down(&machine)
    })
    .await
}

/// When this machine itself completed its terminating hook.
fn completed(scene: &Scene, machine: &Machine) -> anyhow::Result<Timestamp> {
    let region = scene.region().lock();
    let its = |action: &&LifecycleAction| action.transition == Transition::Terminating && action.instance == *machine.instance();
    let action = region.actions().iter().find(its).context("no hook was opened")?;
    ensure!(!action.completed_over_its_head(), "another completed it");
    let ending = action.ending.as_ref().context("its hook is open")?;
    ensure!(ending.powered && action.completed().is_some(), "its hook ended so: {ending:?}");
    Ok(ending.at)
}

/// When the others' list first lacked it.
fn left(witness: &Witness, machine: &Machine) -> anyhow::Result<Timestamp> {
    witness.sightings().removed_at.get(machine.instance()).copied().with_context(|| format!("{} never left", machine.instance()))
}

/// A disk that came up again would start no etcd.
fn stays_down(machine: &Machine) -> anyhow::Result<()> {
    ensure!(machine.disk().join("var/lib/quorate/left").exists(), "nothing says that the member has left");
    ensure!(!machine.disk().join("var/lib/quorate/etcd/member").exists(), "its data is where etcd would find it");
    Ok(())
}

/// Through what a machine is switched off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Logind,
    /// A signal to PID 1, of which logind learns nothing.
    Signal,
}

/// The machine is switched off without any other notice. The group replaces it when EC2 says that it has stopped.
async fn goes_off(name: &str, by: By, press: impl AsyncFnOnce(&Scene, &Machine) -> anyhow::Result<()>) -> anyhow::Result<()> {
    play_joined(name, 3, async |scene: &Scene| leader_goes_off(scene, by, press).await).await
}

/// The leader's machine, which was never booted but once, is switched off.
pub(crate) async fn leader_goes_off(
    scene: &Scene,
    by: By,
    press: impl AsyncFnOnce(&Scene, &Machine) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (witness, writer, machine) = (Witness::of(scene), scene.write().await?, scene.leader().await?);
    let told = by == By::Logind && machine.systemd().await? >= TELLS;
    let begun = scene.now();
    press(scene, &machine).await?;
    let off = scene.until_off(machine.instance()).await?;
    let left = left(&witness, &machine)?;
    println!("left after {:.1} s, off after {:.1} s", seconds(begun, left), seconds(begun, off));
    ensure!(left <= off + NOTICED, "it was off {} s before it had left", seconds(off, left));
    in_order(&machine, &[&[Mark::Event(NOTICE_RECEIVED)], &LEAVE[..], &[Mark::Says("Shutting down.")]].concat())?;
    left_before_it_was_stopped(&machine, told)?;
    scene.until_gone(machine.instance(), LIMIT).await?;
    scene.settled(3, None).await?;
    scene.ends(3, writer).await?;
    stays_down(&machine)
}

/// Where logind tells what the shutdown is, all of it is done before anything stops; elsewhere the agent learns that from the jobs that stop it.
fn left_before_it_was_stopped(machine: &Machine, told: bool) -> anyhow::Result<()> {
    let stops = Mark::Unit(AGENT, "Stopping");
    if told {
        precedes(machine, Mark::Event(LEFT), stops)?;
        return precedes(machine, Mark::Event(LEFT), Mark::Says("Stopped target"));
    }
    precedes(machine, stops, Mark::Event(NOTICE_RECEIVED))
}

#[tokio::test]
async fn systemctl_poweroff_leaves_before() -> anyhow::Result<()> {
    goes_off("systemctl-poweroff", By::Logind, async |_: &Scene, machine: &Machine| {
        // The connection to systemd may break under its feet.
        let _ = machine.run(&["systemctl", "poweroff"]).await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn logind_power_off_leaves_before() -> anyhow::Result<()> {
    goes_off("logind-poweroff", By::Logind, async |_: &Scene, machine: &Machine| machine.logind("PowerOff").await).await
}

#[tokio::test]
async fn machinectl_poweroff_which_logind_learns_nothing_of_leaves_before() -> anyhow::Result<()> {
    goes_off("machinectl-poweroff", By::Signal, async |_: &Scene, machine: &Machine| machine.machinectl_poweroff()).await
}

/// While another voter is away leaving is not safe: the shutdown waits for it longer than logind would by default.
#[tokio::test]
async fn a_leave_may_take_longer_than_five_seconds() -> anyhow::Result<()> {
    const AWAY: Duration = Duration::from_secs(9);
    goes_off("slow-leave", By::Logind, async |scene: &Scene, machine: &Machine| {
        let other = scene.follower().await?;
        other.freeze()?;
        sleep(Duration::from_secs(2)).await;
        machine.logind("PowerOff").await?;
        sleep(AWAY).await;
        let state = scene.region().lock().instance(machine.instance()).map(|instance| instance.ec2);
        let etcd = machine.unit(ETCD, "ActiveState").await;
        other.thaw()?;
        ensure!(state == Some(Ec2State::Running), "it was off, {state:?}, while another voter was away");
        ensure!(etcd? == "active", "etcd was stopped while another voter was away");
        Ok(())
    })
    .await
}
