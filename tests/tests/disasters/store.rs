//! The store fails half-way through each of its uses, loses what it held, or is another cluster's.

use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::AccountId;
use quorate_lab::disasters::Row;
use quorate_lab::lab::{Lab, LabOptions, Store};
use quorate_lab::s3::{Fault, Operation, Rule, RuleId, Scope};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::disk::fill;
use super::group::{CLUSTER, Group, HOOK, LIMIT, says};
use super::stage::{Stage, options, until_all};

const FOLDER: &str = "clusters/test/";

async fn in_s3(size: u32) -> anyhow::Result<Stage> {
    Stage::with(LabOptions { store: Store::S3, ..options()? }, size).await
}

fn below(operation: Operation, folder: &str) -> Scope {
    Scope::from(operation).prefix(&format!("{FOLDER}{folder}"))
}

/// Wherever an upload breaks off there is no snapshot of it, and a dead member is removed anyway.
#[tokio::test]
async fn the_store_fails_half_way_through_every_snapshot() -> anyhow::Result<()> {
    let stage = in_s3(3).await?;
    fill(&stage.group, 24).await?;
    let writer = stage.load(50).await?;
    let first = stage.group.live()[0].clone();
    let before = stage.group.snapshots().await?.len();
    let s3 = stage.lab().s3()?;
    let half_way = [
        Rule::new(below(Operation::CreateUpload, "snapshots/"), Fault::Status(500)),
        Rule::new(below(Operation::UploadPart, "snapshots/").part(3), Fault::Status(503)),
        Rule::new(below(Operation::UploadPart, "snapshots/").part(2), Fault::HangUp),
        Rule::new(below(Operation::Complete, "snapshots/"), Fault::RefusalInside(500)),
        Rule::new(below(Operation::Head, "snapshots/").suffix(".db"), Fault::Status(403)),
        Rule::new(below(Operation::Put, "snapshots/").suffix(".json"), Fault::Status(507)),
    ];
    for rule in &half_way {
        let id = s3.faults().add(rule.clone());
        let printed = stage.lab().type_in(&first, "snapshot", &["save"]).await?;
        ensure!(!printed.succeeded && s3.faults().struck(id) > 0, "{rule:?}: {printed:?}");
        s3.faults().remove(id);
        ensure!(stage.group.snapshots().await?.len() == before, "{rule:?}: a snapshot broke off and is listed anyway");
    }
    // From here on every part fails: the death of a member is finished anyway.
    let parts = s3.faults().add(Rule::new(below(Operation::UploadPart, "snapshots/"), Fault::HangUp));
    let puts = s3.faults().add(half_way[5].clone());
    let victim = stage.lab().followers(&stage.group.name).await?.remove(0);
    let since = Instant::now();
    stage.lab().hard_kill(&victim);
    stage.group.whole_without(&victim, 3).await?;
    let whole = since.elapsed();
    [parts, puts].into_iter().for_each(|id| s3.faults().remove(id));
    a_large_one_is_whole(&stage).await?;
    let row = Row::new(
        "Store: each step of a snapshot fails",
        "upload begun, part, completion, read back, manifest; then one of three dies",
        "no half snapshot was ever listed, and the dead member was replaced without one",
    );
    stage.nothing_lost(3, writer, row.settled_after(whole)).await
}

/// A snapshot in many parts is taken and verified; with another byte in it, it is not.
async fn a_large_one_is_whole(stage: &Stage) -> anyhow::Result<()> {
    let (s3, first) = (stage.lab().s3()?, stage.group.live()[0].clone());
    s3.log().forget();
    let printed = stage.lab().type_in(&first, "snapshot", &["save"]).await?;
    ensure!(printed.succeeded, "{printed:?}");
    let parts = s3.log().of(Operation::UploadPart).len();
    ensure!(parts > 5, "a database of more than 24 MiB is uploaded in parts of 5 MiB: {parts}");
    let printed = stage.lab().type_in(&first, "snapshot", &["verify"]).await?;
    ensure!(printed.succeeded, "{printed:?}");
    let corrupt = s3.faults().add(Rule::new(Scope::from(Operation::Get).suffix(".db"), Fault::Corrupt));
    let printed = stage.lab().type_in(&first, "snapshot", &["verify"]).await?;
    ensure!(!printed.succeeded && format!("{}{}", printed.out, printed.err).contains("checksum"), "{printed:?}");
    s3.faults().remove(corrupt);
    Ok(())
}

/// Everything that a restore asks of the store fails first, some of it after it was done.
#[tokio::test]
async fn the_store_fails_half_way_through_every_step_of_a_restore() -> anyhow::Result<()> {
    let stage = in_s3(3).await?;
    let load = stage.saved().await?;
    let s3 = stage.lab().s3()?;
    let loss = stage.all_die_under(load).await;
    let troubles: Vec<(RuleId, String)> = [
        Rule::new(Operation::List, Fault::Status(500)).times(6),
        Rule::new(Operation::List, Fault::Truncate).times(6),
        Rule::new(below(Operation::Get, "charter/"), Fault::Status(503)).times(6),
        Rule::new(below(Operation::Get, "snapshots/").suffix(".json"), Fault::HangUp).times(6),
        Rule::new(below(Operation::Get, "snapshots/").suffix(".db"), Fault::Status(503)).times(2),
        Rule::new(below(Operation::Get, "snapshots/").suffix(".db"), Fault::Truncate).times(2),
        Rule::new(below(Operation::Put, "charter/"), Fault::Status(500)).times(1),
        Rule::new(below(Operation::Put, "charter/"), Fault::LoseAnswer).times(2),
    ]
    .into_iter()
    .map(|rule| (s3.faults().add(rule.clone()), format!("{rule:?}")))
    .collect();
    let restored = stage.restores(&loss, 3).await?;
    for (id, rule) in &troubles {
        ensure!(s3.faults().struck(*id) > 0, "never applied: {rule}");
    }
    restored.row(
        "Store: each step of a restore fails",
        "all machines and disks; list, read of manifest and data, and the charter's write fail or lose their answers",
        "tried again until done: one claim, the newest snapshot",
    )
}

/// The keys of the charter's records, oldest first.
fn records(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let folder = format!("{FOLDER}charter/");
    Ok(stage.lab().s3()?.keys().into_iter().filter(|key| key.starts_with(&folder)).collect())
}

/// Every node remembers the highest record; a serving node looks at the store once a minute.
async fn until_remembered(stage: &Stage) -> anyhow::Result<()> {
    let highest = || stage.lab().charter(CLUSTER).ok()?.pop();
    let remembered = |status: &Value| highest().is_some_and(|highest| status["record"]["number"] == highest["number"]);
    until_all(&stage.group, "everybody to remember the highest record", remembered).await.map(drop)
}

async fn one_dies(stage: &Stage) -> anyhow::Result<()> {
    let victim = stage.lab().followers(&stage.group.name).await?.remove(0);
    stage.lab().hard_kill(&victim);
    stage.group.whole_without(&victim, 3).await
}

/// By age a lifecycle rule takes the oldest records first; then the newest is deleted by hand.
#[tokio::test]
async fn records_of_the_charter_expire_below_a_living_cluster() -> anyhow::Result<()> {
    let stage = in_s3(3).await?;
    let writer = stage.load(100).await?;
    until_remembered(&stage).await?;
    let since = Instant::now();
    let (newest, old) = records(&stage)?.split_last().map(|(newest, old)| (newest.clone(), old.to_vec())).context("no charter")?;
    for key in &old {
        stage.lab().s3()?.expire(key);
    }
    one_dies(&stage).await?;
    let now = records(&stage)?;
    ensure!(now.contains(&newest) && now.last() > Some(&newest), "the log did not continue from {newest}: {now:?}");
    let newest = now.last().context("no charter")?;
    let content = stage.lab().s3()?.read(newest)?;
    until_remembered(&stage).await?;
    stage.lab().s3()?.expire(newest);
    one_dies(&stage).await?;
    let again = || async {
        let now = stage.lab().s3().and_then(|s3| Ok(s3.read(newest)?));
        if now.is_ok_and(|now| now == content) { Ok(()) } else { Err(format!("{newest} is not there, or another")) }
    };
    stage.lab().until(LIMIT, "the newest record to be written again", again).await?;
    stage.group.settled(3, None).await?;
    let whole = since.elapsed();
    let row = Row::new(
        "Store: a lifecycle rule expires records of the charter",
        "all records but the newest; one of three dies; then the newest, and one of three dies",
        "the log went on from what was left, and the newest record was written again from the nodes' memory",
    );
    stage.nothing_lost(3, writer, row.settled_after(whole)).await
}

/// All records at once: what a node remembers does not make a chain again, so no node writes it. The cluster continues to serve, and says what to do.
#[tokio::test]
async fn the_whole_charter_expires_below_a_living_cluster() -> anyhow::Result<()> {
    let stage = in_s3(3).await?;
    let writer = stage.load(100).await?;
    until_remembered(&stage).await?;
    let s3 = stage.lab().s3()?;
    let kept: Vec<_> = records(&stage)?.into_iter().map(|key| s3.read(&key).map(|bytes| (key, bytes))).collect::<Result<_, _>>()?;
    s3.expire(&format!("{FOLDER}charter/"));
    stage.until_all_say(&["Restore the objects of `charter/`", "leave the snapshots where they are"]).await?;
    stage.group.until_written(&writer, 100).await?;
    ensure!(records(&stage)?.is_empty(), "a node began another charter: {:?}", records(&stage)?);
    let since = Instant::now();
    for (key, bytes) in &kept {
        s3.write(key, bytes)?;
    }
    until_all(&stage.group, "everybody to go on", |status| status["needs_operator"] != true).await?;
    one_dies(&stage).await?;
    let whole = since.elapsed();
    let row = Row::new(
        "Store: a lifecycle rule expires the whole charter",
        "every record, while the cluster lives; they are put back; then one of three dies",
        "it served on and halted every change until they were back; then the dead one was replaced",
    );
    stage.nothing_lost(3, writer, row.settled_after(whole)).await
}

/// The charter has expired, and then every node dies: snapshots without a charter are no empty store.
#[tokio::test]
async fn the_charter_expires_and_everybody_dies() -> anyhow::Result<()> {
    let stage = in_s3(3).await?;
    stage.load(100).await?.stop().await;
    stage.save().await?;
    let (_, since) = stage.all_die();
    stage.lab().s3()?.expire(&format!("{FOLDER}charter/"));
    stage.until_replaced(3).await?;
    stage.group.until_halted().await?;
    let halted = since.elapsed();
    stage.until_all_say(&["but no charter"]).await?;
    stage.nothing_starts().await?;
    ensure!(stage.lab().charter(CLUSTER)?.is_empty(), "a node founded again: {:#?}", stage.lab().charter(CLUSTER)?);
    Row::new(
        "Store: the charter expires, and everybody dies",
        "every record, all machines and disks",
        "it halts: a store with snapshots and no charter is no empty store; nothing starts",
    )
    .settled_after(halted)
    .record()
}

/// Somebody uses the bucket and the name of a living cluster again, in another account, and in another region.
#[tokio::test]
async fn the_same_store_and_name_are_used_from_elsewhere() -> anyhow::Result<()> {
    let stage = Stage::of(1).await?;
    let writer = stage.load(100).await?;
    let records = stage.lab().charter(CLUSTER)?;
    let store = format!("file://{}", stage.lab().store(CLUSTER).display());
    let since = Instant::now();
    let mut account = options()?;
    account.region.account = AccountId::new("999999999999");
    let mut region = options()?;
    region.region.region = quorate_core::ids::RegionName::new("us-east-1");
    for elsewhere in [account, region] {
        refused_from(elsewhere, &store).await?;
    }
    let halted = since.elapsed();
    ensure!(stage.lab().charter(CLUSTER)? == records, "somebody wrote to the charter");
    let row = Row::new(
        "Store: the same bucket and name from elsewhere",
        "nothing: another account, then another region, names this cluster's store",
        "its agents halt and say whose charter it is; the cluster never notices",
    );
    stage.nothing_lost(1, writer, row.settled_after(halted)).await
}

async fn refused_from(options: LabOptions, store: &str) -> anyhow::Result<()> {
    let lab = Lab::start(options).await?;
    let name = lab.create_group(lab.group("etcd", CLUSTER, 2, HOOK).tag("quorate:store", store))?;
    let group = Group { lab, name };
    let both = || async { if group.live().len() == 2 { Ok(()) } else { Err("not launched yet".to_owned()) } };
    group.lab.until(LIMIT, "two instances", both).await?;
    let halts = |status: &Value| status["needs_operator"] == true && says(status, "the charter belongs to cluster test of account");
    until_all(&group, "both to halt", halts).await?;
    sleep(Duration::from_secs(6)).await;
    for instance in group.live() {
        ensure!(halts(&group.lab.status(&instance).await?), "{instance} no longer halts\n{}", group.lab.logs());
    }
    let etcd = group.live().into_iter().find(|one| group.lab.etcd_process(one).is_some());
    ensure!(etcd.is_none(), "{etcd:?} runs an etcd");
    Ok(())
}
