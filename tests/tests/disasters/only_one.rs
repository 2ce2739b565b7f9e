//! D1 and D3a: a cluster of one loses its only machine.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use quorate_lab::disasters::Row;
use quorate_lab::lab::writer::Label;
use quorate_lab::lab::{LabOptions, Store};
use quorate_lab::s3::Operation;
use tokio::time::Instant;

use super::group::{CLUSTER, LIMIT};
use super::stage::{Stage, options};

#[tokio::test]
async fn one_of_one_dies_with_its_disk() -> anyhow::Result<()> {
    let stage = Stage::of(1).await?;
    let load = stage.saved().await?;
    let restored = stage.restores(&stage.all_die_under(load).await, 1).await?;
    ensure!(restored.lost >= 20, "20 writes came after the snapshot, and {} are lost", restored.lost);
    ensure!(stage.group.generation()? == 2, "generation {} was begun", stage.group.generation()?);
    stage.saves_as(2).await?;
    restored.row("D1a, D3a: one of one", "the machine and its disk", "its replacement restored the newest snapshot, once")
}

async fn in_s3() -> anyhow::Result<Stage> {
    Stage::with(LabOptions { store: Store::S3, ..options()? }, 1).await
}

/// No node has read the data of a snapshot since the log was last forgotten, except for the pages of its own that it reads back.
fn no_snapshot_was_read(stage: &Stage) -> anyhow::Result<()> {
    let log = stage.lab().s3()?.log();
    let written: Vec<_> = [Operation::Put, Operation::Complete].into_iter().flat_map(|one| log.of(one)).map(|line| line.key).collect();
    let read: Vec<_> =
        log.of(Operation::Get).into_iter().filter(|line| line.key.ends_with(".db") && !written.contains(&line.key)).collect();
    ensure!(read.is_empty(), "a snapshot was read: {read:?}");
    Ok(())
}

#[tokio::test]
async fn one_of_one_reboots() -> anyhow::Result<()> {
    let stage = in_s3().await?;
    let writer = stage.saved().await?.writer;
    let only = stage.group.live().remove(0);
    let before = stage.lab().until_whole(&stage.group.name, 1, LIMIT).await?;
    stage.lab().s3()?.log().forget();
    writer.label(Label::Kill);
    let since = Instant::now();
    stage.lab().operator(|api| api.reboot_instances(std::slice::from_ref(&only)))?;
    let down = || async { stage.lab().etcd_process(&only).map_or(Ok(()), |etcd| Err(format!("etcd is process {}", etcd.pid))) };
    stage.lab().until(LIMIT, "etcd to stop", down).await?;
    stage.group.until_written(&writer, 20).await?;
    let writes = since.elapsed();
    ensure!(stage.lab().until_whole(&stage.group.name, 1, LIMIT).await? == before, "it is another member");
    no_snapshot_was_read(&stage)?;
    let back = "its own data won: the same member, and no snapshot was read";
    let row = Row::new("D1c: one of one reboots", "the machine, but not its disk", back);
    stage.nothing_lost(1, writer, row.writes_after(writes)).await
}

/// The volume with the newest data is attached to the replacement: the snapshot, which is older, must not win over it.
#[tokio::test]
async fn the_volume_of_one_of_one_comes_back_on_another_machine() -> anyhow::Result<()> {
    let stage = in_s3().await?;
    let writer = stage.saved().await?.writer;
    let only = stage.group.live().remove(0);
    let before = member(&stage).await?;
    let volume = stage.lab().directory().join("volume");
    // Its last writes are in etcd's log alone.
    stage.lab().freeze_machine(&only);
    let written = writer.stop().await;
    copy(&stage.lab().disk(&only).join("data"), &volume)?;
    stage.lab().s3()?.log().forget();
    // Time to attach it before the agent starts.
    stage.lab().boot_takes([Duration::from_secs(3)]);
    let (dead, _) = stage.all_die();
    let launched = || async { stage.group.live().pop().filter(|one| !dead.contains(one)).ok_or("not launched yet".to_owned()) };
    let next = stage.lab().until(LIMIT, "the replacement to be launched", launched).await?;
    std::fs::create_dir_all(stage.lab().disk(&next))?;
    std::fs::rename(&volume, stage.lab().disk(&next).join("data"))?;
    stage.until_all_say(&["holds the member data of", only.as_str(), "recover --reattached-volume"]).await?;
    stage.nothing_starts().await?;
    let since = Instant::now();
    let printed = stage.lab().type_in(&next, "recover", &["--reattached-volume", "--cluster", CLUSTER, "--yes"]).await?;
    ensure!(printed.succeeded, "{printed:?}");
    let after = member(&stage).await?;
    let settled = since.elapsed();
    ensure!(before == after, "it continues as another member: {before} became {after}");
    stage.kept_all(1, &written).await?;
    no_snapshot_was_read(&stage)?;
    // Others reach it at its new address.
    stage.group.resize(3)?;
    stage.kept_all(3, &written).await?;
    Row::new(
        "D1c: one of one, its volume on another machine",
        "the machine; the volume with its data is attached to the replacement",
        "nothing older was restored over it; by `quorate recover --reattached-volume` it went on as the same member, at its new address",
    )
    .settled_after(settled)
    .lost(0, written.acked())
    .record()
}

/// The only member's cluster and id.
async fn member(stage: &Stage) -> anyhow::Result<String> {
    let lists = stage.lab().until_whole(&stage.group.name, 1, LIMIT).await?;
    Ok(lists.into_values().map(|view| format!("{} of {}", view.member, view.cluster)).collect())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "cp: {copied}");
    Ok(())
}
