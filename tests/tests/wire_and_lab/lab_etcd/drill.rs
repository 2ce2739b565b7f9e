//! Snapshots of real etcd restored on trial on a schedule: beside the member's data, remembered, reported once, and never at the members' expense.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use quorate_lab::lab::{LISTEN, LabOptions, Store};
use quorate_lab::s3::{Fault, Operation, Rule, Scope};
use rustix::process::Signal;
use serde_json::Value;

use super::asked::get;
use super::group::{Group, LIMIT};
use super::snapshots::until_listed;

const PASSED: &str = "was restored on trial: revision ";
const FAILED: &str = "could not be restored on trial, after ";

/// From now on the newest snapshot is restored on trial at this interval. This is not set while the group forms: the founder, alone, would begin.
async fn with_drills(group: &Group, interval_s: u32) -> anyhow::Result<()> {
    group.lab.change_settings(|settings| settings.number("snapshot.drill_interval_s", interval_s));
    for instance in group.live() {
        group.lab.restart_agent(&instance, Signal::TERM, None).await?;
    }
    Ok(())
}

/// The follower that has to run them.
async fn driller(group: &Group) -> anyhow::Result<InstanceId> {
    group.lab.followers(&group.name).await?.into_iter().min().context("nobody follows")
}

fn scratch(group: &Group, instance: &InstanceId) -> PathBuf {
    group.lab.disk(instance).join("data/etcd.drill")
}

fn count(group: &Group, instance: &InstanceId, what: &str) -> usize {
    group.lab.log(instance).matches(what).count()
}

async fn until_logged(group: &Group, instance: &InstanceId, what: &str, times: usize) -> anyhow::Result<()> {
    let told = || async { if count(group, instance, what) >= times { Ok(()) } else { Err(group.lab.log(instance)) } };
    group.lab.until(LIMIT, what, told).await
}

/// What `quorate status` says of snapshots.
async fn until_status(group: &Group, instance: &InstanceId, what: &str) -> anyhow::Result<()> {
    group.until(instance, what, |status| status["snapshot"].to_string().contains(what)).await.map(drop)
}

async fn assert_metrics(group: &Group, instance: &InstanceId, lines: &[&str]) -> anyhow::Result<()> {
    let (_, text) = get(group.lab.address(instance)?, LISTEN.metrics, "/metrics").await?;
    for line in lines {
        assert!(text.lines().any(|have| have == *line), "no {line} in\n{text}");
    }
    Ok(())
}

/// The drill has ended, it is reported this number of times, and nothing is left of it.
async fn ended(group: &Group, driller: &InstanceId, what: &str, times: usize) -> anyhow::Result<()> {
    let (data, scratch) = (group.lab.disk(driller).join("data/etcd/member"), scratch(group, driller));
    until_logged(group, driller, what, times).await?;
    // Long enough for an agent to begin another.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(count(group, driller, what), times, "{}", group.lab.log(driller));
    assert!(data.is_dir() && !scratch.exists(), "{} stays, or {} does not", scratch.display(), data.display());
    Ok(())
}

#[tokio::test]
async fn the_newest_snapshot_is_restored_on_trial_by_one_follower_and_remembered() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let newest = until_listed(&group, "a snapshot", |s| !s.is_empty()).await?.pop().context("none is listed")?;
    with_drills(&group, 3600).await?;
    let driller = driller(&group).await?;
    ended(&group, &driller, PASSED, 1).await?;
    let log = group.lab.log(&driller);
    let line = log.lines().find(|line| line.contains(PASSED)).unwrap_or_default();
    assert!(
        line.contains(newest["key"].as_str().context("no key")?) && line.contains(&format!("revision {}", newest["revision"])),
        "{line}"
    );
    for other in group.live().iter().filter(|one| **one != driller) {
        assert!(!group.lab.log(other).contains("on trial"), "{}", group.lab.log(other));
    }
    let revision = format!("quorate_snapshot_drill_revision {:.1}", newest["revision"].as_f64().unwrap_or_default());
    assert_metrics(&group, &driller, &["quorate_snapshot_drill_failed 0.0", "quorate_snapshot_drill_overdue 0.0", &revision]).await?;
    // The next agent knows of it, and makes none.
    group.lab.restart_agent(&driller, Signal::TERM, None).await?;
    until_status(&group, &driller, "restored on trial").await?;
    ended(&group, &driller, PASSED, 1).await?;
    group.settled(3, None).await
}

#[tokio::test]
async fn a_rotten_snapshot_is_found_by_the_drill_and_the_cluster_serves_on() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let newest = until_listed(&group, "a snapshot", |s| !s.is_empty()).await?.pop().context("none is listed")?;
    group.spoil(&newest)?;
    let writer = group.write()?;
    with_drills(&group, 3600).await?;
    let driller = driller(&group).await?;
    ended(&group, &driller, FAILED, 1).await?;
    let log = group.lab.log(&driller);
    let line = log.lines().find(|line| line.contains(FAILED)).unwrap_or_default();
    assert!(line.contains(newest["key"].as_str().context("no key")?) && line.contains("checksum"), "{line}");
    until_status(&group, &driller, "the last trial FAILED").await?;
    assert_metrics(&group, &driller, &["quorate_snapshot_drill_failed 1.0", "quorate_snapshot_drill_failures_total 1"]).await?;
    group.until_written(&writer, 50).await?;
    let written = writer.stop().await;
    group.settled(3, Some(&written)).await
}

/// The newest snapshot is made so large that no disk has room for it: a file with a hole, and the manifest to it.
fn swell(data: &Path) -> anyhow::Result<()> {
    const SIZE: u64 = 1 << 40;
    std::fs::OpenOptions::new().write(true).open(data)?.set_len(SIZE)?;
    let path = data.with_extension("json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    manifest["size"] = SIZE.into();
    std::fs::write(&path, serde_json::to_vec(&manifest)?).context("the manifest")
}

#[tokio::test]
async fn without_room_no_drill_is_made_and_nothing_is_harmed() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let alone = group.live()[0].clone();
    let newest = until_listed(&group, "a snapshot", |s| !s.is_empty()).await?.pop().context("none is listed")?;
    swell(&group.data(&newest)?)?;
    let writer = group.write()?;
    with_drills(&group, 3600).await?;
    ended(&group, &alone, FAILED, 1).await?;
    let log = group.lab.log(&alone);
    let line = log.lines().find(|line| line.contains(FAILED)).unwrap_or_default();
    assert!(line.contains("bytes free, but restoring") && line.contains("etcd.drill"), "{line}");
    assert_metrics(&group, &alone, &["quorate_snapshot_drill_failed 1.0"]).await?;
    // The result outlives the agent, and the trial is not repeated before its time.
    group.lab.restart_agent(&alone, Signal::TERM, None).await?;
    until_status(&group, &alone, "bytes free, but restoring").await?;
    ended(&group, &alone, FAILED, 1).await?;
    group.until_written(&writer, 50).await?;
    let written = writer.stop().await;
    group.settled(1, Some(&written)).await
}

/// This number of instances whose store hangs at each read of a snapshot's data, with drills.
async fn with_a_drill_that_hangs(size: u32) -> anyhow::Result<(Group, InstanceId)> {
    let options = LabOptions { store: Store::S3, ..LabOptions::quick()? };
    let group = Group::with(options.set(|settings| settings.number("snapshot.change_patience_s", 3)), size).await?;
    until_listed(&group, "a snapshot", |s| !s.is_empty()).await?;
    group.lab.s3()?.faults().add(Rule::new(Scope::from(Operation::Get).suffix(".db"), Fault::Delay(Duration::from_secs(50))));
    with_drills(&group, 3600).await?;
    let driller = if size == 1 { group.live()[0].clone() } else { driller(&group).await? };
    until_begun(&group, &driller, 1).await?;
    Ok((group, driller))
}

const BEGINS: &str = "restores snapshot ";

async fn until_begun(group: &Group, driller: &InstanceId, times: usize) -> anyhow::Result<()> {
    until_logged(group, driller, BEGINS, times).await?;
    let begun = || async { if scratch(group, driller).exists() { Ok(()) } else { Err("no scratch directory".to_owned()) } };
    group.lab.until(LIMIT, "the scratch directory", begun).await
}

#[tokio::test]
async fn a_dead_member_is_removed_while_a_drill_hangs() -> anyhow::Result<()> {
    let (group, driller) = with_a_drill_that_hangs(3).await?;
    let victim = group.lab.followers(&group.name).await?.into_iter().find(|one| *one != driller).context("nobody else follows")?;
    group.lab.hard_kill(&victim);
    let removed = || async {
        let lists = group.lab.lists().await;
        let listed = lists.values().any(|view| view.members.iter().any(|member| member.name == victim.as_str()));
        if !lists.is_empty() && !listed { Ok(()) } else { Err(format!("{lists:?}")) }
    };
    group.lab.until(LIMIT, "the dead member to be removed", removed).await?;
    let told = count(&group, &driller, PASSED) + count(&group, &driller, FAILED);
    assert!(told == 0 && scratch(&group, &driller).exists(), "the drill still runs");
    Ok(())
}

/// One that is abandoned leaves nothing, and the next agent begins again. One whose agent is killed is tidied up by the next, and counts as failed.
#[tokio::test]
async fn a_drill_that_is_cut_off_is_tidied_up() -> anyhow::Result<()> {
    let (group, alone) = with_a_drill_that_hangs(1).await?;
    let scratch = scratch(&group, &alone);
    group.lab.kill_agent(&alone, Signal::TERM).await?;
    assert!(!scratch.exists(), "an orderly end leaves nothing");
    group.lab.start_agent(&alone).await?;
    until_begun(&group, &alone, 2).await?;

    group.lab.kill_agent(&alone, Signal::KILL).await?;
    assert!(scratch.exists(), "an agent that is killed tidies nothing up");
    group.lab.start_agent(&alone).await?;
    until_status(&group, &alone, "the last trial FAILED: the agent ended").await?;
    let gone = || async { if scratch.exists() { Err("it is there".to_owned()) } else { Ok(()) } };
    group.lab.until(LIMIT, "the scratch directory to go", gone).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(count(&group, &alone, BEGINS), 2, "one that took its agent with it is not begun again at once");
    group.settled(1, None).await
}
