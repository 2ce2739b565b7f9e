//! What may happen to the agent or its etcd on a machine that stays up: the membership does not change, and clients see nothing of the agent.

use anyhow::ensure;
use quorate_lab::machine::Machine;

use super::evidence::{Mark, in_order};
use super::scene::{AGENT, ETCD, LIMIT, Scene, play_joined};

/// On each machine in turn; the leader's too.
async fn agents_go_and_come(name: &str, act: impl AsyncFn(&Scene, &Machine) -> anyhow::Result<()>) -> anyhow::Result<()> {
    play_joined(name, 3, async |scene: &Scene| {
        let before = scene.member_ids(3).await?;
        let writer = scene.write().await?;
        for machine in scene.machines()? {
            let etcd = machine.unit(ETCD, "MainPID").await?;
            scene
                .unnoticed(&writer, &format!("{name} on {}", machine.name()), async || {
                    let agent = machine.unit(AGENT, "MainPID").await?;
                    act(scene, &machine).await?;
                    scene.until_restarted(&machine, &agent).await
                })
                .await?;
            ensure!(machine.unit(ETCD, "MainPID").await? == etcd, "etcd was restarted on {}", machine.name());
        }
        ensure!(scene.member_ids(3).await? == before, "the members changed");
        scene.ends(3, writer).await
    })
    .await
}

#[tokio::test]
async fn a_restart_of_the_agent_changes_nothing() -> anyhow::Result<()> {
    agents_go_and_come("restart", async |_: &Scene, machine: &Machine| machine.run(&["systemctl", "restart", AGENT]).await.map(drop)).await
}

#[tokio::test]
async fn an_upgrade_of_the_package_changes_nothing() -> anyhow::Result<()> {
    agents_go_and_come("upgrade", async |scene: &Scene, machine: &Machine| {
        std::fs::copy(&scene.packages().newer, machine.disk().join("quorate.deb"))?;
        machine.run(&["dpkg", "--install", "/quorate.deb"]).await?;
        let version = machine.run(&["dpkg-query", "--show", "--showformat=${Version}", "quorate"]).await?;
        ensure!(version.ends_with("+upgrade"), "version {version} is installed");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_agent_that_is_killed_carries_on() -> anyhow::Result<()> {
    agents_go_and_come("kill", async |_: &Scene, machine: &Machine| {
        machine.run(&["systemctl", "kill", "--kill-who=main", "--signal=KILL", AGENT]).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn an_agent_that_hangs_is_restarted_by_the_watchdog() -> anyhow::Result<()> {
    agents_go_and_come("hang", async |scene: &Scene, machine: &Machine| {
        machine.run(&["systemctl", "kill", "--kill-who=main", "--signal=STOP", AGENT]).await?;
        let barked = || async { in_order(machine, &[Mark::Unit(AGENT, "Watchdog timeout")]).map_err(|error| format!("{error:#}")) };
        scene.until(LIMIT, "the watchdog", barked).await
    })
    .await
}

#[tokio::test]
async fn an_etcd_that_is_killed_comes_back_as_the_same_member() -> anyhow::Result<()> {
    play_joined("etcd-killed", 3, async |scene: &Scene| {
        let before = scene.member_ids(3).await?;
        let writer = scene.write().await?;
        for machine in [scene.follower().await?, scene.leader().await?] {
            let etcd = machine.unit(ETCD, "MainPID").await?;
            machine.run(&["systemctl", "kill", "--signal=KILL", ETCD]).await?;
            let back = || async {
                let pid = machine.unit(ETCD, "MainPID").await.map_err(|error| format!("{error:#}"))?;
                if pid != etcd && pid != "0" { Ok(()) } else { Err(format!("it is process {pid}")) }
            };
            scene.until(LIMIT, "another etcd", back).await?;
            scene.settled(3, None).await?;
            in_order(&machine, &[Mark::Unit(ETCD, "status=9/KILL"), Mark::Unit(ETCD, "Started")])?;
        }
        ensure!(scene.member_ids(3).await? == before, "the members changed");
        scene.ends(3, writer).await
    })
    .await
}
