//! D6 and D7: everything is gone. What comes back, and what must not.

use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::InstanceId;
use quorate_lab::disasters::Row;
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::{Lab, LabOptions, Store};
use quorate_lab::region::{ActionResult, Process, Transition};
use quorate_lab::s3::{Fault, Operation, Rule, Scope};
use tokio::time::{Instant, sleep_until};

use super::group::{CLUSTER, Group, LIMIT, LONG_HOOK};
use super::stage::{Load, Stage, options};

#[tokio::test]
async fn three_of_three_with_a_truncated_snapshot_and_a_late_instance() -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    let writer = stage.load(50).await?;
    stage.save().await?;
    stage.group.until_written(&writer, 50).await?;
    let revision = stage.save().await?;
    stage.group.until_written(&writer, 50).await?;
    stage.save().await?;
    let newest = stage.group.snapshots().await?.pop().context("there is no snapshot")?;
    let file = std::fs::OpenOptions::new().write(true).open(stage.group.data(&newest)?)?;
    file.set_len(newest["size"].as_u64().context("a snapshot without a size")? / 2)?;
    let loss = stage.all_die_under(Load { writer, revision }).await;
    // One that is on the list and silent would be waited for: silence is never consent.
    stage.group.resize(2)?;
    let took = stage.comes_back(&loss.dead, loss.since, 2).await?;
    sleep_until(loss.since + Duration::from_secs(30)).await;
    stage.group.resize(3)?;
    stage.group.settled(3, None).await?;
    let restored = stage.restored(took, revision, &loss.written).await?;
    let key = newest["key"].as_str().unwrap_or_default();
    let logs: String = stage.group.live().iter().map(|one| stage.lab().log(one)).collect();
    ensure!(logs.contains(&format!("PASSES OVER {key}")), "nobody says that {key} is no snapshot\n{}", stage.lab().logs());
    restored.row(
        "D6: three of three, the newest snapshot truncated, one instance 30 s late",
        "all machines, disks and half of a snapshot",
        "the snapshot before it was restored by one of two; the late one joined them as a learner",
    )
}

/// Every machine dies and the group ends; a group of another name, in another zone, continues the same cluster.
#[tokio::test]
async fn everything_is_destroyed_and_a_group_of_another_name_comes_up() -> anyhow::Result<()> {
    let group = Group::launched_with(Lab::start(options()?).await?, 3, LONG_HOOK)?;
    let mut stage = Stage::whole(group, 3).await?;
    let load = stage.saved().await?;
    let old = stage.group.name.clone();
    stage.lab().operator(|api| api.suspend_processes(&old, &[Process::Launch]))?;
    let mut loss = stage.all_die_under(load).await;
    stage.group.resize(0)?;
    loss.since = Instant::now();
    let next = stage.lab().group("etcd-next", CLUSTER, 3, LONG_HOOK).zone("eu-central-1b");
    stage.group.name = stage.lab().create_group(next)?;
    let restored = stage.restores(&loss, 3).await?;
    ensure!(stage.lab().live(&old).is_empty(), "the old group has instances");
    restored.row(
        "D7: everything, and the group's name too",
        "all machines and disks; the group is at 0, another one in another zone comes up",
        "the new group's first restored the newest snapshot",
    )
}

/// No disaster: the last voter saves everything before it leaves, and nothing is lost.
#[tokio::test]
async fn a_group_is_scaled_to_nothing_and_back() -> anyhow::Result<()> {
    let stage = Stage::with(in_s3()?, 3).await?;
    let writer = stage.load(100).await?;
    let gone = stage.group.live();
    stage.group.resize(0)?;
    stage.group.until_gone(&gone).await?;
    let written = writer.stop().await;
    let last = stage.lab().charter(CLUSTER)?.pop().context("there is no charter")?;
    ensure!(last["state"]["is"] == "retired", "the cluster was not retired: {last:#}");
    let revision = last["state"]["revision"].as_u64().with_context(|| format!("it was retired to no revision: {last:#}"))?;
    let since = Instant::now();
    stage.group.resize(3)?;
    let took = stage.comes_back(&gone, since, 3).await?;
    let restored = stage.restored(took, revision, &written).await?;
    ensure!(restored.lost == 0, "{} acknowledged writes are lost", restored.lost);
    let claim = stage.lab().charter(CLUSTER)?.into_iter().find(|record| record["generation"] == 2).context("no second generation")?;
    ensure!(claim["origin"]["key"] == last["state"]["key"] && stage.group.generation()? == 2, "it is from another snapshot: {claim:#}");
    restored.row(
        "D7: scaled to nothing, and back",
        "nothing: all instances left, one after the other",
        "the last voter's final snapshot was restored, to which it had retired the cluster",
    )
}

fn in_s3() -> anyhow::Result<LabOptions> {
    Ok(LabOptions { store: Store::S3, ..options()? })
}

#[tokio::test]
async fn a_bucket_that_cannot_be_reached_is_no_empty_bucket() -> anyhow::Result<()> {
    // The hooks of the dead wait until the bucket is back, and a leader has looked at each of them.
    let group = Group::launched_with(Lab::start(in_s3()?).await?, 3, LONG_HOOK)?;
    let stage = Stage::whole(group, 3).await?;
    let load = stage.saved().await?;
    let out = stage.lab().s3()?.faults().add(Rule::new(Scope::everything(), Fault::HangUp));
    let mut loss = stage.all_die_under(load).await;
    stage.until_replaced(3).await?;
    let message = stage.until_all_say(&["store"]).await?;
    stage.nothing_starts().await?;
    loss.since = Instant::now();
    stage.lab().s3()?.faults().remove(out);
    let restored = stage.restores(&loss, 3).await?;
    println!("without its store an agent says: {message}");
    restored.row(
        "D7: everything, and the bucket cannot be reached",
        "all machines and disks, and the way to the bucket",
        "everybody waited; from the moment it answered the newest snapshot was restored",
    )
}

#[tokio::test]
async fn two_groups_that_come_up_at_once_found_one_cluster() -> anyhow::Result<()> {
    let lab = Lab::start(in_s3()?).await?;
    let witness = Witness::of(&lab);
    let since = Instant::now();
    let groups = [("etcd-a", 2), ("etcd-b", 1)].map(|(name, size)| lab.create_group(lab.group(name, CLUSTER, size, LONG_HOOK)));
    let groups = groups.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    lab.until_in_service(&groups[..], 3, LIMIT).await?;
    lab.settled(&groups[..], 3, LIMIT, None).await?;
    let took = since.elapsed();
    let charter = lab.charter(CLUSTER)?;
    let claims: Vec<_> = charter.iter().filter(|record| record["state"]["is"] == "founding").collect();
    ensure!(claims.len() == 1 && claims[0]["origin"]["from"] == "empty", "{claims:#?}");
    ensure!(witness.sightings().clusters.len() == 1, "{:?}", witness.sightings().clusters);
    Row::new(
        "D7: an empty bucket, two groups at once",
        "nothing: a fresh name, groups of 2 and 1 launched together",
        "one founded, by conditional put, and the others joined it",
    )
    .settled_after(took)
    .record()
}

/// Both see an absent record and try to create it: the bucket lets one of them.
#[tokio::test]
async fn of_two_claimants_at_once_one_restores() -> anyhow::Result<()> {
    let stage = Stage::with(in_s3()?.set(|settings| settings.number("timing.rank_delay_s", 0.01)), 3).await?;
    let load = stage.saved().await?;
    let s3 = stage.lab().s3()?;
    let charter = Scope::from(Operation::Put).prefix(&format!("clusters/{CLUSTER}/charter/"));
    // Long enough for every node to have decided before the first learns of it.
    let slow = s3.faults().add(Rule::new(charter, Fault::Delay(Duration::from_millis(1500))).times(3));
    s3.log().forget();
    let restored = stage.restores(&stage.all_die_under(load).await, 3).await?;
    ensure!(stage.lab().s3()?.faults().struck(slow) == 3, "no node was slow to claim");
    let refused: Vec<_> =
        s3.log().of(Operation::Put).into_iter().filter(|line| line.key.contains("/charter/") && line.status == Some(412)).collect();
    ensure!(!refused.is_empty(), "no claim met another: {:?}", s3.log().of(Operation::Put));
    restored.row(
        "D7: two claimants at once",
        "all machines and disks; every replacement claims in the same second",
        "the bucket took one claim and refused the others; one restored",
    )
}

#[tokio::test]
async fn a_charter_without_snapshots_founds_nothing() -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    stage.load(50).await?.stop().await;
    let (dead, since) = stage.all_die();
    std::fs::remove_dir_all(stage.lab().store(CLUSTER).join(CLUSTER).join("snapshots"))?;
    stage.until_replaced(3).await?;
    stage.group.until_halted().await?;
    let halted = since.elapsed();
    stage.nothing_starts().await?;
    refuses(&stage, &dead, &["none of the 0 snapshots", "recover --fresh"]).await?;
    Row::new(
        "D7: everything, and the snapshots too",
        "all machines and disks; the charter is there, no snapshot is",
        "it halts and says what is missing; nothing starts, no launch hook is completed",
    )
    .settled_after(halted)
    .record()
}

/// D1d: they are all there, and none is what it was.
#[tokio::test]
async fn one_of_one_dies_and_no_snapshot_verifies() -> anyhow::Result<()> {
    let stage = Stage::of(1).await?;
    stage.load(50).await?.stop().await;
    stage.save().await?;
    let snapshots = stage.group.snapshots().await?;
    for snapshot in &snapshots {
        stage.group.spoil(snapshot)?;
    }
    let (dead, since) = stage.all_die();
    stage.until_replaced(1).await?;
    stage.group.until_halted().await?;
    let halted = since.elapsed();
    stage.nothing_starts().await?;
    let newest = snapshots.last().and_then(|one| one["key"].as_str()).context("there is no snapshot")?;
    refuses(&stage, &dead, &["every voter of the established cluster is gone", newest, "recover --fresh"]).await?;
    Row::new(
        "D1d: one of one, and no snapshot verifies",
        "the machine, its disk, and one bit of every snapshot",
        "it halts and names them; nothing starts, the launch hook is not completed",
    )
    .settled_after(halted)
    .record()
}

/// `quorate status` says all that is missing, and what an operator can do.
async fn refuses(stage: &Stage, dead: &[InstanceId], words: &[&str]) -> anyhow::Result<()> {
    let instance = stage.group.live().into_iter().find(|one| !dead.contains(one)).context("nobody was launched")?;
    let told = stage.lab().type_in(&instance, "status", &[]).await?;
    let missing: Vec<_> = words.iter().filter(|word| !told.out.contains(**word)).collect();
    ensure!(missing.is_empty(), "`quorate status` says nothing of {missing:?}: {told:?}");
    let region = stage.lab().region().lock();
    let mut launches = region.actions().iter().filter(|one| one.transition == Transition::Launching && one.instance == instance);
    ensure!(launches.all(|one| one.completed() != Some(ActionResult::Continue)), "a launch hook was completed");
    Ok(())
}

/// Another cluster's snapshot lies in the folder, with a later name than any of its own.
#[tokio::test]
async fn another_clusters_snapshot_is_passed_over_by_name() -> anyhow::Result<()> {
    let stage = Stage::of(1).await?;
    let load = stage.saved().await?;
    let newest = stage.group.snapshots().await?.pop().context("there is no snapshot")?;
    let own = stage.group.data(&newest)?;
    let stranger = own.with_file_name("00000000000099999999-0000000000001-i-stranger.json");
    let manifest = std::fs::read_to_string(own.with_extension("json"))?;
    std::fs::write(&stranger, manifest.replace(&format!("\"cluster\": \"{CLUSTER}\""), "\"cluster\": \"other\""))?;
    std::fs::copy(&own, stranger.with_extension("db"))?;
    let restored = stage.restores(&stage.all_die_under(load).await, 1).await?;
    let log = stage.lab().log(&stage.group.live()[0]);
    let line = log.lines().find(|line| line.contains("PASSES OVER")).unwrap_or_default();
    ensure!(line.contains("i-stranger.json") && line.contains("cluster other"), "it is not passed over by name: {line}");
    restored.row(
        "D7: a snapshot of another cluster",
        "the machine and its disk; a later snapshot in the folder is another cluster's",
        "it was passed over by name, and the own one restored",
    )
}
