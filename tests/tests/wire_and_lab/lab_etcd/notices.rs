//! What EC2 announces, and an operator's pause.

use std::time::Duration;

use super::group::{Group, LIMIT};
use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;
use quorate_lab::lab::Lab;
use quorate_lab::region::{Process, SpotAction};

/// What EC2 gives, an order of magnitude quicker like everything here.
const NOTICE: Duration = Duration::from_secs(12);

/// Announces that a spot instance is taken back. Returns when.
fn announce(lab: &Lab, instance: &InstanceId) -> anyhow::Result<Timestamp> {
    let time = lab.region().with(|region, now| {
        let said = region.metadata_mut(instance)?;
        said.spot = Some(SpotAction { action: "terminate", time: now + NOTICE });
        Some(now + NOTICE)
    });
    time.ok_or_else(|| anyhow::anyhow!("there is no instance {instance}"))
}

/// Waits until the others no longer list it, which has to be before it is taken; its machine runs on.
async fn until_out(group: &Group, instance: &InstanceId, taken: Timestamp) -> anyhow::Result<()> {
    let others: Vec<_> = group.live().into_iter().filter(|other| other != instance).collect();
    let out = || async {
        let lists = group.lab.lists().await;
        let listed = |other: &&InstanceId| lists.get(*other).is_none_or(|view| view.members.iter().any(|m| m.name == instance.as_str()));
        let who: Vec<_> = others.iter().filter(listed).collect();
        if who.is_empty() { Ok(()) } else { Err(format!("{who:?} list it, or do not answer")) }
    };
    group.lab.until(LIMIT, "its member to be out", out).await?;
    let now = group.lab.region().with(|_, now| now);
    assert!(now < taken, "it was out {:?} after its machine was to be taken", now.since(taken));
    assert!(group.lab.region().lock().instance(instance).is_some_and(|one| one.powered));
    Ok(())
}

fn suspend(group: &Group, processes: &[Process]) -> anyhow::Result<()> {
    Ok(group.lab.operator(|api| api.suspend_processes(&group.name, processes))?)
}

/// On its own it makes the instance leave before its machine is taken; during a leave that waits for a replacement it ends the patience.
#[tokio::test]
async fn a_spot_notice_is_in_time_alone_and_during_a_termination() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let writer = group.write()?;
    let leader = group.lab.leader(&group.name).await?;
    let taken = announce(&group.lab, &leader)?;
    until_out(&group, &leader, taken).await?;
    group.lab.operator(|api| api.terminate_instances(std::slice::from_ref(&leader)))?;
    group.whole_without(&leader, 3).await?;

    suspend(&group, &[Process::Launch])?;
    let follower = group.lab.followers(&group.name).await?.remove(0);
    group.replace(&follower)?;
    group.until_says(&follower, "waits for its replacement").await?;
    let taken = announce(&group.lab, &follower)?;
    until_out(&group, &follower, taken).await?;
    group.lab.until_gone(&follower, LIMIT).await?;
    group.lab.operator(|api| api.resume_processes(&group.name, &[Process::Launch]))?;
    group.settled(3, Some(&writer.stop().await)).await
}

/// Nothing happens except heartbeats, even after a restart of an agent; then it leaves properly.
#[tokio::test]
async fn a_paused_cluster_takes_no_step_until_it_is_resumed() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let before = group.lab.until_whole(&group.name, 3, LIMIT).await?;
    let writer = group.write()?;
    let nodes = group.live();
    group.lab.quorate(&nodes[0], &["pause", "--cluster"]).await?;
    for node in &nodes {
        group.until_says(node, "the cluster is paused").await?;
    }
    let leaver = group.lab.followers(&group.name).await?.remove(0);
    group.replace(&leaver)?;
    group.until_says(&leaver, "it should leave because its group terminates it").await?;
    group.lab.restart_agent(&nodes[1], rustix::process::Signal::TERM, None).await?;
    group.until_says(&nodes[1], "the cluster is paused").await?;
    // Two heartbeats of a hook of 20 s, and the replacement has long been there.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let lists = group.lab.lists().await;
    for node in &nodes {
        let members = |view: Option<&quorate_lab::lab::etcd::View>| view.map(|view| view.members.clone());
        assert_eq!(members(lists.get(node)), members(before.get(node)), "the members have changed");
    }
    let beats = group.lab.region().lock().actions().iter().filter(|a| a.instance == leaver).map(|a| a.heartbeats).max();
    assert!(beats.unwrap_or(0) >= 2, "{beats:?} heartbeats");
    let told = group.lab.quorate(&nodes[0], &["resume"]).await?;
    assert!(told.contains("still paused"), "{told}");
    group.lab.quorate(&nodes[0], &["resume", "--cluster"]).await?;
    group.lab.until_gone(&leaver, LIMIT).await?;
    group.settled(3, Some(&writer.stop().await)).await
}
