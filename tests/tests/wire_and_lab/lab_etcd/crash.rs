//! Agents that die half-way through something, and are or are not started again.

use std::time::Duration;

use super::group::{CRASH, Group, LIMIT};
use futures::stream::{self, StreamExt, TryStreamExt};
use quorate_lab::lab::{Lab, LabOptions};
use tokio::time::sleep;

const JOIN: [&str; 8] =
    ["create-record", "start-member", "heartbeat", "acquire-lock", "add-learner", "promote", "release-lock", "complete-hook"];
const LEAVE: [&str; 8] =
    ["heartbeat", "acquire-lock", "move-leader", "remove-member", "release-lock", "stop-member", "put-data-aside", "complete-hook"];

pub(crate) fn points(steps: &[&str]) -> Vec<String> {
    steps.iter().flat_map(|step| ["before", "after"].map(|when| format!("{when}:{step}"))).collect()
}

#[tokio::test]
async fn an_agent_that_dies_at_any_step_of_joining_finishes_when_it_is_back() -> anyhow::Result<()> {
    let all = points(&JOIN).into_iter().map(|point| async move { joins_despite(&point).await.map_err(|error| error.context(point)) });
    stream::iter(all).buffer_unordered(2).try_collect().await
}

/// Two instances form a cluster; each agent dies when it first comes to the point, and is started again without it.
async fn joins_despite(point: &str) -> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    lab.agent_environment(CRASH, Some(point));
    let group = Group::launched(lab, 2)?;
    let launched = || async {
        let started = group.live().iter().filter(|instance| group.lab.agent_started(instance).is_some()).count();
        if started == 2 { Ok(()) } else { Err(format!("{started} agents are started")) }
    };
    group.lab.until(LIMIT, "both agents to be started", launched).await?;
    group.lab.agent_environment(CRASH, None);
    let mut died = 0;
    let settled = tokio::select! {
        settled = group.settled(2, None) => settled,
        error = revive(&group, &mut died) => error,
    };
    settled?;
    anyhow::ensure!(died > 0, "no agent ever came to {point}");
    // A founder that died before it had data claims again, but only one claim ever succeeds.
    let established = group.established()?;
    anyhow::ensure!(established.len() == 1, "the generations {established:?} were established");
    Ok(())
}

/// Restarts the agents that have ended on their own, and counts them.
pub(crate) async fn revive(group: &Group, died: &mut usize) -> anyhow::Result<()> {
    loop {
        *died += group.lab.revive().await?.len();
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_agent_that_dies_at_any_step_of_leaving_finishes_when_it_is_back() -> anyhow::Result<()> {
    let points = points(&LEAVE);
    let halves = points.chunks(points.len().div_ceil(2)).map(leave_despite);
    futures::future::try_join_all(halves).await.map(drop)
}

/// The leader of two is replaced over and over; each time its agent dies at another point and is started again.
async fn leave_despite(points: &[String]) -> anyhow::Result<()> {
    let group = Group::of(2).await?;
    let writer = group.write()?;
    for point in points {
        let leader = group.lab.leader(&group.name).await?;
        group.arm(&leader, point).await?;
        group.replace(&leader)?;
        group.lab.agent_ended(&leader, LIMIT).await.map_err(|error| error.context(point.clone()))?;
        group.lab.start_agent(&leader).await?;
        group.whole_without(&leader, 2).await.map_err(|error| error.context(point.clone()))?;
    }
    group.settled(2, Some(&writer.stop().await)).await
}

/// The leader of three is terminated. Its agent dies at this point and is not started again; its machine may die too.
async fn survivors_finish(point: &str, machine_dies_too: bool) -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let writer = group.write()?;
    let leader = group.lab.leader(&group.name).await?;
    group.arm(&leader, point).await?;
    group.replace(&leader)?;
    group.lab.agent_ended(&leader, LIMIT).await?;
    if machine_dies_too {
        group.lab.hard_kill(&leader);
    }
    group.whole_without(&leader, 3).await?;
    group.settled(3, Some(&writer.stop().await)).await
}

/// Its etcd runs on; the survivors remove it, and complete its hook once it is out.
#[tokio::test]
async fn an_agent_that_dies_for_good_half_way_through_leaving_is_finished_by_the_survivors() -> anyhow::Result<()> {
    survivors_finish("after:remove-member", false).await
}

#[tokio::test]
async fn a_machine_that_dies_half_way_through_leaving_is_finished_by_the_survivors() -> anyhow::Result<()> {
    survivors_finish("after:move-leader", true).await
}

/// Restarting or killing an agent is not an event for the cluster.
#[tokio::test]
async fn agents_that_are_killed_and_started_again_are_not_noticed() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let members = group.lab.until_whole(&group.name, 3, LIMIT).await?;
    let writer = group.write()?;
    group.until_written(&writer, 50).await?;
    for instance in group.live() {
        group.lab.restart_agent(&instance, rustix::process::Signal::KILL, None).await?;
        sleep(Duration::from_millis(500)).await;
    }
    group.until_written(&writer, 100).await?;
    let written = writer.stop().await;
    assert_eq!(written.failed(), 0);
    group.settled(3, Some(&written)).await?;
    let after = group.lab.until_whole(&group.name, 3, LIMIT).await?;
    assert_eq!(members.values().next().map(|view| &view.members), after.values().next().map(|view| &view.members));
    Ok(())
}
