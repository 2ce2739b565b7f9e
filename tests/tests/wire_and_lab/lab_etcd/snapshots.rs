//! Snapshots of real etcd: taken automatically and before changes, whole in the store, and no reason to keep a dead member.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use quorate_lab::lab::{LabOptions, Store};
use quorate_lab::s3::{Fault, Rule, Scope};
use serde_json::Value;

use super::group::{CLUSTER, Group, LIMIT};

pub(crate) async fn until_listed(group: &Group, what: &str, enough: impl Fn(&[Value]) -> bool) -> anyhow::Result<Vec<Value>> {
    let probe = || async {
        let snapshots = group.snapshots().await.map_err(|error| format!("{error:#}"))?;
        if enough(&snapshots) { Ok(snapshots) } else { Err(format!("{snapshots:#?}")) }
    };
    group.lab.until(LIMIT, what, probe).await
}

fn triggers(snapshots: &[Value]) -> Vec<&str> {
    snapshots.iter().filter_map(|s| s["trigger"].as_str()).collect()
}

async fn typed(group: &Group, instance: &InstanceId, args: &[&str]) -> anyhow::Result<(bool, String)> {
    let printed = group.lab.type_in(instance, "snapshot", args).await?;
    Ok((printed.succeeded, format!("{}{}", printed.out, printed.err)))
}

#[tokio::test]
async fn snapshots_are_taken_and_can_be_proved_and_restored() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let writer = group.write()?;
    group.until_written(&writer, 200).await?;
    writer.stop().await;
    let first = group.live()[0].clone();
    let (saved, message) = typed(&group, &first, &["save"]).await?;
    assert!(saved, "{message}");
    let snapshots = group.snapshots().await?;
    let newest = snapshots.last().context("none is listed")?;
    assert_eq!(newest["trigger"], "operator", "the list is ordered by revision: {snapshots:#?}");
    assert!(newest["revision"].as_u64() > Some(200), "{newest:#}");
    assert!(triggers(&snapshots).contains(&"interval"), "the leader's agent takes the first as soon as the cluster stands: {snapshots:#?}");

    let (whole, message) = typed(&group, &first, &["verify", "--all"]).await?;
    assert!(whole && message.matches("complete").count() == snapshots.len(), "{message}");
    let (restores, message) = typed(&group, &first, &["verify", "--restore"]).await?;
    assert!(restores && message.contains("restored on trial"), "{message}");

    // One flipped bit is found, and which snapshot has it.
    let path = group.data(newest)?;
    let good = std::fs::read(&path)?;
    let mut wrong = good.clone();
    wrong[good.len() / 2] ^= 1;
    std::fs::write(&path, &wrong)?;
    let (whole, message) = typed(&group, &first, &["verify"]).await?;
    assert!(!whole && message.contains("checksum") && message.contains(newest["key"].as_str().unwrap()), "{message}");
    // One that is cut short is no snapshot at all, and is reported as none.
    std::fs::write(&path, &good[..good.len() - 512])?;
    assert_eq!(group.snapshots().await?.len(), snapshots.len() - 1);
    let (_, message) = typed(&group, &first, &["list"]).await?;
    assert!(message.contains("not a snapshot:") && message.contains("bytes, not"), "{message}");
    group.settled(3, None).await
}

#[tokio::test]
async fn a_change_of_the_membership_is_preceded_by_a_snapshot() -> anyhow::Result<()> {
    let group = Group::with(LabOptions::quick()?.set(|settings| settings.number("snapshot.recent_s", 1)), 3).await?;
    let before = until_listed(&group, "the snapshots before the joins", |s| triggers(s).contains(&"change")).await?;
    let writer = group.write()?;
    group.until_written(&writer, 50).await?;
    group.replace(&group.live()[0])?;
    group.settled(3, None).await?;
    let written = writer.stop().await;
    group.settled(3, Some(&written)).await?;
    let after = group.snapshots().await?;
    let count = |s: &[Value]| triggers(s).iter().filter(|t| **t == "change").count();
    assert!(count(&after) >= count(&before) + 2, "one before the join and one before the leave at least: {after:#?}");
    let revisions: Vec<_> = after.iter().filter_map(|s| s["revision"].as_u64()).collect();
    assert!(revisions.is_sorted() && revisions.len() == after.len(), "{revisions:?}");
    Ok(())
}

/// A cluster of three with its store on S3, with this fault in its snapshots from now on.
async fn with_trouble(fault: Fault) -> anyhow::Result<Group> {
    let options = LabOptions { store: Store::S3, ..LabOptions::quick()? };
    let options = options.set(|settings| settings.number("snapshot.recent_s", 1).number("snapshot.change_patience_s", 3));
    let group = Group::with(options, 3).await?;
    group.lab.s3()?.faults().add(Rule::new(Scope::everything().prefix(FOLDER), fault));
    Ok(group)
}

const FOLDER: &str = "clusters/test/snapshots/";

/// A dead member is removed anyway, and an agent reports why there is no snapshot before.
async fn is_pruned(group: &Group, why: &str) -> anyhow::Result<()> {
    let victim = group.lab.followers(&group.name).await?.remove(0);
    group.lab.hard_kill(&victim);
    group.whole_without(&victim, 3).await?;
    let told: String = group.live().iter().map(|instance| group.lab.log(instance)).collect();
    let line = told.lines().find(|line| line.contains("removes member") && line.contains("without a snapshot first"));
    assert!(line.is_some_and(|line| line.contains(why)), "{line:?} in\n{told}");
    Ok(())
}

#[tokio::test]
async fn a_store_that_refuses_snapshots_keeps_no_dead_member() -> anyhow::Result<()> {
    is_pruned(&with_trouble(Fault::Status(403)).await?, "the store").await
}

#[tokio::test]
async fn a_store_that_hangs_keeps_a_dead_member_no_longer_than_the_patience() -> anyhow::Result<()> {
    is_pruned(&with_trouble(Fault::Delay(Duration::from_secs(40))).await?, "longer than 3 s").await
}

/// A directory that was made by hand is not emptied by pruning, and neither is another cluster's snapshot.
#[tokio::test]
async fn pruning_keeps_to_what_is_ours_and_old() -> anyhow::Result<()> {
    let mut options = LabOptions::quick()?;
    options.settings = ["keep_all_hours", "keep_hourly_days", "keep_daily_weeks"]
        .iter()
        .fold(options.settings, |s, key| s.number(&format!("snapshot.{key}"), 0));
    options.settings = options.settings.number("snapshot.keep_at_least", 2).number("snapshot.interval_s", 1).number("snapshot.recent_s", 1);
    let group = Group::with(options, 1).await?;
    let folder = group.lab.store(CLUSTER).join(CLUSTER).join("snapshots");
    std::fs::write(folder.join("note.txt"), "by hand")?;
    let foreign = folder.join("0000000001");
    let stranger = copy_as_anothers(&group, &foreign).await?;
    // The first, which only pruning deletes.
    let first = until_listed(&group, "a snapshot", |s| !s.is_empty()).await?.remove(0);
    let gone = until_listed(&group, "the first to be deleted", |s| !s.is_empty() && s[0]["key"] != first["key"] && s.len() <= 3).await?;
    assert!(gone.len() >= 2, "{gone:#?}");
    assert!(!group.data(&first)?.exists());
    assert!(folder.join("note.txt").exists() && stranger.exists());
    let (_, message) = typed(&group, &group.live()[0], &["list"]).await?;
    assert!(message.contains("it is of cluster other") && message.contains("it is not named as a snapshot"), "{message}");
    Ok(())
}

/// The manifest and data of a snapshot once more, as another cluster's.
async fn copy_as_anothers(group: &Group, folder: &Path) -> anyhow::Result<PathBuf> {
    let snapshot = until_listed(group, "a snapshot to copy", |s| !s.is_empty()).await?.remove(0);
    let path = group.data(&snapshot)?;
    let manifest = std::fs::read_to_string(path.with_extension("json"))?.replace("\"cluster\": \"test\"", "\"cluster\": \"other\"");
    let stranger = folder.join("00000000000000000001-0000000000001-i-stranger.json");
    std::fs::write(&stranger, manifest)?;
    std::fs::copy(&path, stranger.with_extension("db"))?;
    Ok(stranger)
}
