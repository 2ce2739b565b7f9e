//! D4: more than a minority dies or falls silent.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::{InstanceId, MemberId};
use quorate_lab::disasters::Row;
use quorate_lab::lab::writer::{Label, Written};
use quorate_lab::region::{Service, View, ViewRule};
use tokio::time::{Instant, sleep};

use super::group::{CLUSTER, CRASH, LIMIT};
use super::stage::{Stage, options};

/// Ten times the grace after which these agents act, and longer than EC2 must be silent before an instance counts as gone.
const LONG: Duration = Duration::from_secs(35);

/// The members' ids, and their processes.
async fn members(stage: &Stage, size: usize) -> anyhow::Result<BTreeMap<InstanceId, (MemberId, Option<i32>)>> {
    let lists = stage.lab().until_whole(&stage.group.name, size, LIMIT).await?;
    let process = |instance: &InstanceId| stage.lab().etcd_process(instance).map(|etcd| etcd.pid);
    Ok(lists.into_iter().map(|(instance, view)| (instance.clone(), (view.member, process(&instance)))).collect())
}

/// Two machines die under load, with their disks; returns the survivor, and what had been acknowledged.
async fn two_die(stage: &Stage) -> anyhow::Result<(InstanceId, Written, Instant)> {
    let writer = stage.load(100).await?;
    let survivor = stage.lab().leader(&stage.group.name).await?;
    let dead: Vec<_> = stage.group.live().into_iter().filter(|one| *one != survivor).collect();
    dead.iter().for_each(|instance| stage.lab().hard_kill(instance));
    let since = Instant::now();
    Ok((survivor, writer.stop().await, since))
}

#[tokio::test]
async fn two_of_three_die_and_nobody_makes_up_a_cluster() -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    let (survivor, written, since) = two_die(&stage).await?;
    let etcd = stage.lab().etcd_process(&survivor).map(|etcd| etcd.pid);
    stage.group.until_halted().await?;
    let halted = since.elapsed();
    // Long enough for any node to have done what it should not.
    sleep(Duration::from_secs(15)).await;
    let status = stage.lab().status(&survivor).await?;
    let message = status["message"].as_str().unwrap_or_default();
    ensure!(status["needs_operator"] == true && message.contains("1 of 3 voters survive"), "the survivor says {message}");
    ensure!(stage.lab().etcd_process(&survivor).map(|etcd| etcd.pid) == etcd, "the survivor's etcd was touched");
    replacements_wait(&stage, &survivor)?;
    stage.one_history(1)?;
    Row::new(
        "D4a: two of three",
        "two machines and their disks",
        "it halts and says so: the survivor keeps its data, and founds, restores and changes nothing",
    )
    .settled_after(halted)
    .record()?;
    shown_before_it_is_ordered(&stage, &survivor).await?;
    let ordered = Instant::now();
    stage.lab().quorate(&survivor, &["recover", "--survivor", "--cluster", CLUSTER]).await?;
    goes_on_from_the_survivor(&stage, &survivor, &written, ordered).await?.row(
        "D4a: two of three, ordered",
        "two machines and their disks; an operator orders `quorate recover --survivor`",
        "the survivor's own data went on, and two joined it",
    )
}

/// A dry run says what is known, both ways, and what each loses; and the name of another cluster is refused.
async fn shown_before_it_is_ordered(stage: &Stage, survivor: &InstanceId) -> anyhow::Result<()> {
    let shown = stage.lab().type_in(survivor, "recover", &["--dry-run", "--survivor", "--cluster", CLUSTER]).await?;
    ensure!(!shown.succeeded, "an operator is needed: {shown:?}");
    for line in
        ["quorum    lost for good", "this node; data of generation 1", "gone for good", "recover --snapshot newest", "loses  EVERYTHING"]
    {
        ensure!(shown.out.contains(line), "{line} is not in {}", shown.out);
    }
    ensure!(stage.group.generation()? == 1, "a dry run did something");
    let wrong = stage.lab().type_in(survivor, "recover", &["--survivor", "--cluster", "another"]).await?;
    ensure!(!wrong.succeeded && wrong.out.contains("belongs to cluster test"), "{wrong:?}");
    Ok(())
}

#[tokio::test]
async fn two_of_three_die_and_the_policy_lets_the_survivor_go_on() -> anyhow::Result<()> {
    let stage = Stage::with(options()?.set(|settings| settings.text("policy.recovery", "any")), 3).await?;
    let (survivor, written, since) = two_die(&stage).await?;
    goes_on_from_the_survivor(&stage, &survivor, &written, since).await?.row(
        "D4a: two of three, policy `any`",
        "two machines and their disks",
        "no snapshot went further than the survivor's own data: that went on by itself, and two joined it",
    )
}

/// One more generation is there, from the survivor's data, which was not replaced.
async fn goes_on_from_the_survivor(stage: &Stage, survivor: &InstanceId, written: &Written, since: Instant) -> anyhow::Result<CameBack> {
    stage.group.settled(3, None).await?;
    let whole = since.elapsed();
    stage.one_history(2)?;
    ensure!(stage.group.live().contains(survivor), "{survivor} was replaced");
    let origin = stage.lab().charter(CLUSTER)?.pop().context("there is no charter")?["origin"].clone();
    ensure!(origin["from"] == "survivor" && origin["instance"] == survivor.as_str(), "it is from {origin}");
    let addresses = vec![stage.lab().address(survivor)?];
    let lost = written.lost(&addresses).await?;
    ensure!(lost.is_empty(), "the survivor led, and lacks {lost:?}");
    ensure!(stage.group.generation()? == 2, "generation {} was begun", stage.group.generation()?);
    Ok(CameBack { whole, lost: lost.len(), acked: written.acked() })
}

struct CameBack {
    whole: Duration,
    lost: usize,
    acked: usize,
}

impl CameBack {
    fn row(self, scenario: &'static str, failed: &'static str, came_back: &'static str) -> anyhow::Result<()> {
        Row::new(scenario, failed, came_back).settled_after(self.whole).lost(self.lost, self.acked).record()
    }
}

/// They run no etcd, and their launch hooks are kept open and not completed.
fn replacements_wait(stage: &Stage, survivor: &InstanceId) -> anyhow::Result<()> {
    let replacements: Vec<_> = stage.group.live().into_iter().filter(|one| one != survivor).collect();
    ensure!(replacements.len() == 2, "there are {} replacements", replacements.len());
    let started = replacements.iter().find(|one| stage.lab().etcd_process(one).is_some());
    ensure!(started.is_none(), "{started:?} runs an etcd");
    stage.launches_are_kept_open(&replacements)
}

#[tokio::test]
async fn two_of_three_stand_still_and_nobody_acts_on_it() -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    let writer = stage.load(100).await?;
    let before = members(&stage, 3).await?;
    let records = stage.lab().charter(CLUSTER)?.len();
    let silent = stage.group.live().split_off(1);
    stage.witness.count_voters();
    writer.label(Label::Kill);
    silent.iter().for_each(|instance| stage.lab().freeze_machine(instance));
    sleep(LONG).await;
    let thawed = Instant::now();
    silent.iter().for_each(|instance| stage.lab().thaw_machine(instance));
    stage.group.until_written(&writer, 50).await?;
    let again = thawed.elapsed();
    stage.group.settled(3, None).await?;
    ensure!(members(&stage, 3).await? == before, "the members, or their processes, are others: {before:?}");
    ensure!(stage.seen().fewest_voters == Some(3), "a silent one was removed: {:?}", stage.seen());
    ensure!(stage.lab().charter(CLUSTER)?.len() == records, "somebody wrote to the charter");
    let back = "nobody acted: the same members and processes went on when the two did";
    let row = Row::new("D4b: two of three", "two machines stand still for 35 s", back);
    stage.nothing_lost(3, writer, row.writes_after(again)).await
}

/// What differs from one run of the same disaster to the next; SplitMix64, for the order and not for secrets.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// All three die; their replacements boot within six seconds in any order, and AWS's answers are up to three seconds old.
async fn three_of_three(seed: u64, scenario: &'static str) -> anyhow::Result<()> {
    let mut dice = Dice(seed);
    let stage = Stage::of(3).await?;
    let load = stage.saved().await?;
    stage.lab().boot_takes((0..3).map(|_| Duration::from_millis(dice.below(6000))));
    for service in [Service::Ec2, Service::AutoScaling] {
        let view = View::Lag(Duration::from_millis(dice.below(3000)));
        stage.lab().region().lock().add_view(ViewRule { service, caller: None, view });
    }
    let restored = stage.restores(&stage.all_die_under(load).await, 3).await?;
    ensure!(restorers(&stage).len() == 1, "{:?} restored", restorers(&stage));
    stage.saves_as(stage.group.generation()?).await?;
    restored.row(scenario, "all machines and disks at once", "one replacement restored the newest snapshot, two joined it")
}

/// The node that began to restore.
fn restorers(stage: &Stage) -> Vec<InstanceId> {
    let restored = |instance: &InstanceId| stage.lab().log(instance).contains("restores snapshot");
    stage.group.live().into_iter().filter(restored).collect()
}

macro_rules! boot_orders {
    ($($name:ident $seed:literal)*) => {$(
        #[tokio::test]
        async fn $name() -> anyhow::Result<()> {
            three_of_three($seed, concat!("D4c: three of three, boot order ", $seed)).await
        }
    )*};
}

boot_orders!(three_of_three_die_seed_1 1 three_of_three_die_seed_2 2 three_of_three_die_seed_3 3 three_of_three_die_seed_4 4 three_of_three_die_seed_5 5);

/// All three die; of their replacements the one that claimed dies at this point of its restore, with its machine.
async fn claimant_dies(point: &str, scenario: &'static str) -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    let load = stage.saved().await?;
    stage.lab().agent_environment(CRASH, Some(point));
    let mut loss = stage.all_die_under(load).await;
    let claimant = stage.group.until_one_dies().await?;
    // No other node is to die there.
    for other in stage.group.live().into_iter().filter(|one| *one != claimant) {
        let _ = stage.lab().kill_agent(&other, rustix::process::Signal::KILL).await;
        stage.lab().start_agent(&other).await?;
    }
    stage.lab().hard_kill(&claimant);
    loss.dead.push(claimant);
    let restored = stage.restores(&loss, 3).await?;
    restored.row(
        scenario,
        "all machines and disks, then the one that restores",
        "another one claimed anew and restored the same snapshot from the store",
    )
}

#[tokio::test]
async fn the_claimant_dies_before_it_restores() -> anyhow::Result<()> {
    claimant_dies("before:restore-snapshot", "D4d: the claimant dies before it restores").await
}

#[tokio::test]
async fn the_claimant_dies_after_it_restored() -> anyhow::Result<()> {
    claimant_dies("after:restore-snapshot", "D4d: the claimant dies after it restored").await
}

/// The machine stays, with a directory that is half of a restore: its own agent finishes.
#[tokio::test]
async fn the_claimants_agent_dies_while_it_restores() -> anyhow::Result<()> {
    let stage = Stage::with(options()?, 1).await?;
    let load = stage.saved().await?;
    stage.lab().agent_environment(CRASH, Some("before:restore-snapshot"));
    let loss = stage.all_die_under(load).await;
    let claimant = stage.group.until_one_dies().await?;
    for point in [Some("after:restore-snapshot"), None] {
        stage.lab().agent_ended(&claimant, LIMIT).await?;
        stage.lab().agent_environment(CRASH, point);
        stage.lab().start_agent(&claimant).await?;
    }
    let restored = stage.restores(&loss, 1).await?;
    restored.row(
        "D4d: the claimant's agent dies twice",
        "one of one, then the agent before and after its restore",
        "the same agent went on where it had been",
    )
}
