//! An agent that ends for good while its etcd leads on.

use quorate_lab::lab::{Lab, LabOptions};
use rustix::process::Signal;

use super::group::{Group, LIMIT};

/// Only the agent beside the leader removes the dead and promotes the new: another one stands in for it.
#[tokio::test]
async fn a_dead_voter_is_replaced_although_the_leaders_agent_is_gone() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let writer = group.write()?;
    let leader = group.lab.leader(&group.name).await?;
    let victim = group.lab.followers(&group.name).await?.remove(0);
    group.lab.kill_agent(&leader, Signal::TERM).await?;
    group.lab.hard_kill(&victim);
    group.lab.until_gone(&victim, LIMIT).await?;
    group.lab.until_whole(&group.name, 3, LIMIT).await?;
    assert_ne!(group.lab.leader(&group.name).await?, leader, "nobody stood in");
    group.lab.start_agent(&leader).await?;
    group.settled(3, Some(&writer.stop().await)).await
}

/// Nobody takes snapshots while the leader's agent is gone, until another stands in.
#[tokio::test]
async fn snapshots_go_on_although_the_leaders_agent_is_gone() -> anyhow::Result<()> {
    let mut options = LabOptions::quick()?;
    options.settings = options.settings.number("snapshot.interval_s", 2).number("snapshot.recent_s", 1);
    let group = Group::launched(Lab::start(options).await?, 3)?;
    group.settled(3, None).await?;
    let leader = group.lab.leader(&group.name).await?;
    group.lab.kill_agent(&leader, Signal::TERM).await?;
    let other = group.lab.followers(&group.name).await?.remove(0);
    let taken = || async {
        let printed = group.lab.type_in(&other, "snapshot", &["list", "--json"]).await.map_err(|error| format!("{error:#}"))?;
        Ok::<_, String>(printed.out.matches("\"interval\"").count())
    };
    let before = taken().await.map_err(anyhow::Error::msg)?;
    let more = || async {
        let now = taken().await?;
        if now >= before + 3 { Ok(()) } else { Err(format!("{now} snapshots, {before} before")) }
    };
    group.lab.until(LIMIT, "more snapshots", more).await
}
