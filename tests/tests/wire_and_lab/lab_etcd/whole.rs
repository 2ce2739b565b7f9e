//! A whole cluster is terminated at once: by its group, which gives each instance its hook, or by EC2, which gives none anything.

use anyhow::Context;
use quorate_core::ids::InstanceId;

use super::group::{Group, LIMIT, LONG_HOOK};
use super::total_loss::{kept, numbered, put, save};
use quorate_lab::lab::{Lab, LabOptions};

async fn until_all_gone(group: &Group, all: &[InstanceId]) -> anyhow::Result<()> {
    for instance in all {
        group.lab.until_gone(instance, LIMIT).await?;
    }
    Ok(())
}

/// TerminateInstanceInAutoScalingGroup takes up to a hundred instances. Each waits for its replacement, and no write is lost.
#[tokio::test]
async fn a_whole_cluster_is_terminated_in_one_call() -> anyhow::Result<()> {
    let group = Group::launched_with(Lab::start(LabOptions::quick()?).await?, 3, LONG_HOOK)?;
    group.settled(3, None).await?;
    let all = group.live();
    let writer = group.write()?;
    let done = group.lab.operator(|api| api.terminate_several(&group.name, &all, false));
    done.map_err(|error| anyhow::anyhow!("{error}"))?;
    until_all_gone(&group, &all).await?;
    group.settled(3, Some(&writer.stop().await)).await?;
    assert_eq!(group.generation()?, 1, "the cluster went on");
    Ok(())
}

/// With `SkipOsShutdown` no operating system learns of it, and so no agent: what one of them leaves behind is a dead voter, which the others remove; what
/// all of them leave behind is the newest snapshot.
#[tokio::test]
async fn no_agent_learns_of_a_termination_that_skips_the_shutdown() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    put(&group, 0..20).await?;
    let one = group.lab.leader(&group.name).await?;
    let ended = |ids: &[InstanceId]| group.lab.operator(|api| api.terminate_at_once(ids)).map_err(|error| anyhow::anyhow!("{error}"));
    ended(std::slice::from_ref(&one))?;
    group.lab.until_gone(&one, LIMIT).await?;
    group.settled(3, None).await?;
    anyhow::ensure!(kept(&group).await? == numbered(0..20), "a voter died, and something was lost");
    assert_eq!(group.generation()?, 1);
    save(&group).await.context("a snapshot by hand")?;
    let all = group.live();
    ended(&all)?;
    until_all_gone(&group, &all).await?;
    group.settled(3, None).await?;
    assert_eq!((kept(&group).await?, group.generation()?), (numbered(0..20), 2));
    Ok(())
}
