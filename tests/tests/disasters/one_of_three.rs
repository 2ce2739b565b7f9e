//! D3b: one of three dies, and the other two continue.

use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::{InstanceId, MemberId};
use quorate_core::time::Timestamp;
use quorate_lab::disasters::{Row, Took};
use quorate_lab::lab::LabOptions;
use quorate_lab::lab::url::http;
use quorate_lab::lab::writer::{Label, Writer};
use tokio::time::{Instant, sleep};

use super::group::{CRASH, LIMIT};
use super::stage::{Stage, options};

/// Two election timeouts of etcd, and an allowance for a shared machine of two cores.
const WRITES_AGAIN: Duration = Duration::from_secs(5);

/// Kills the machine of one of three and waits until it is replaced.
async fn replaced(stage: &Stage, victim: &InstanceId, writer: &Writer) -> anyhow::Result<Took> {
    let (died, since) = (stage.lab().now(), Instant::now());
    stage.witness.count_voters();
    writer.label(Label::Kill);
    stage.lab().hard_kill(victim);
    stage.group.until_written(writer, 50).await?;
    stage.group.whole_without(victim, 3).await?;
    let whole = since.elapsed();
    let writes = writer.longest(Label::Kill).context("no write came after the kill")?.length;
    ensure!(writes < WRITES_AGAIN, "no write was acknowledged for {} ms", writes.as_millis());
    removed_first(stage, victim, died).await?;
    ensure!(stage.group.generation()? == 1, "generation {} was begun", stage.group.generation()?);
    Ok(Took { writes, whole })
}

/// The dead member was removed before the new one was added, and a snapshot was taken before that.
async fn removed_first(stage: &Stage, victim: &InstanceId, died: Timestamp) -> anyhow::Result<()> {
    let seen = stage.seen();
    ensure!(seen.fewest_voters == Some(2) && seen.most_members == 3, "voters 3, 2, 3, and never 4: {seen:?}");
    let removed = *seen.removed_at.get(victim).context("it was never removed")?;
    let replacement = stage.group.live().pop().context("nobody lives")?;
    ensure!(removed < seen.voting_since[&replacement], "{replacement} was added before {victim} was removed");
    let snapshots = stage.group.snapshots().await?;
    let before = |at: u64| (died.0..=removed.0).contains(&at);
    let taken = snapshots.iter().any(|one| one["trigger"] == "change" && one["taken_at"].as_u64().is_some_and(before));
    ensure!(taken, "no snapshot was taken between the death at {died:?} and the removal at {removed:?}: {snapshots:#?}");
    Ok(())
}

async fn dies(row: Row, options: LabOptions, pick: impl AsyncFn(&Stage) -> anyhow::Result<InstanceId>) -> anyhow::Result<()> {
    let stage = Stage::with(options, 3).await?;
    let victim = pick(&stage).await?;
    let (address, reuses) = (stage.lab().address(&victim)?, stage.lab().region().lock().config().addresses.reuse);
    let writer = stage.load(100).await?;
    let took = replaced(&stage, &victim, &writer).await?;
    let replacement = stage.group.live().pop().context("nobody lives")?;
    ensure!((stage.lab().address(&replacement)? == address) == reuses, "{replacement} is at the address of {victim}: {}", !reuses);
    stage.nothing_lost(3, writer, row.took(took)).await
}

async fn follower(stage: &Stage) -> anyhow::Result<InstanceId> {
    Ok(stage.lab().followers(&stage.group.name).await?.remove(0))
}

#[tokio::test]
async fn the_leader_of_three_dies() -> anyhow::Result<()> {
    let row = Row::new(
        "D3b: one of three, the leader",
        "the machine and its disk",
        "removed after a snapshot, then its replacement joined as a learner",
    );
    dies(row, options()?, async |stage: &Stage| stage.lab().leader(&stage.group.name).await).await
}

#[tokio::test]
async fn a_follower_of_three_dies() -> anyhow::Result<()> {
    let row = Row::new(
        "D3b: one of three, a follower",
        "the machine and its disk",
        "removed after a snapshot, then its replacement joined as a learner",
    );
    dies(row, options()?, async |stage: &Stage| follower(stage).await).await
}

/// Where addresses are given out again, the replacement gets the dead one's.
#[tokio::test]
async fn the_replacement_has_the_address_of_the_dead() -> anyhow::Result<()> {
    let mut options = options()?;
    options.region.addresses.reuse = true;
    let row = Row::new(
        "D3b: one of three, the same address again",
        "the machine and its disk; its replacement has its address",
        "removed after a snapshot; nobody took the replacement for the dead",
    );
    dies(row, options, async |stage: &Stage| follower(stage).await).await
}

/// The replacement's agent dies at this point, its machine does not, and a service manager starts it again.
async fn joiner_dies(point: &str, row: Row) -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    let victim = follower(&stage).await?;
    let writer = stage.load(100).await?;
    stage.lab().agent_environment(CRASH, Some(point));
    stage.witness.count_voters();
    writer.label(Label::Kill);
    let since = Instant::now();
    stage.lab().hard_kill(&victim);
    let joiner = stage.group.until_one_dies().await?;
    let added = member_at(&stage, &joiner).await?.with_context(|| format!("{joiner} was not added before it died"))?;
    // Long enough for the others to have added another, or to have promoted what does not run.
    sleep(Duration::from_secs(2)).await;
    stage.lab().start_agent(&joiner).await?;
    stage.group.whole_without(&victim, 3).await?;
    let whole = since.elapsed();
    let writes = writer.longest(Label::Kill).context("no write came after the kill")?.length;
    ensure!(member_at(&stage, &joiner).await? == Some(added), "it joined as another member");
    ensure!(stage.seen().most_members == 3, "there were {} members", stage.seen().most_members);
    stage.nothing_lost(3, writer, row.took(Took { writes, whole })).await
}

/// The member at the address of this instance, whether or not it ever started.
async fn member_at(stage: &Stage, instance: &InstanceId) -> anyhow::Result<Option<MemberId>> {
    let url = http(stage.lab().address(instance)?, 2380);
    let lists = stage.lab().lists().await;
    let view = lists.values().find(|view| view.leads()).context("nobody leads")?;
    Ok(view.members.iter().find(|member| member.peer_urls.contains(&url)).map(|member| member.id))
}

#[tokio::test]
async fn the_agent_of_the_replacement_dies_between_add_and_start() -> anyhow::Result<()> {
    let row = Row::new(
        "D3b: one of three, its replacement's agent dies between add and start",
        "the machine and its disk, then the agent that joins",
        "the next agent started the member that was added",
    );
    joiner_dies("before:start-member", row).await
}

#[tokio::test]
async fn the_agent_of_the_replacement_dies_between_start_and_promote() -> anyhow::Result<()> {
    let row = Row::new(
        "D3b: one of three, its replacement's agent dies between start and promote",
        "the machine and its disk, then the agent that joins",
        "the next agent adopted the learner that ran",
    );
    joiner_dies("after:start-member", row).await
}

#[tokio::test]
async fn one_of_three_reboots() -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    let before = stage.group.member_ids(3).await?;
    let writer = stage.load(100).await?;
    stage.witness.count_voters();
    let leader = stage.lab().leader(&stage.group.name).await?;
    let pid = stage.lab().etcd_process(&leader).map(|etcd| etcd.pid);
    writer.label(Label::Kill);
    let since = Instant::now();
    stage.lab().operator(|api| api.reboot_instances(std::slice::from_ref(&leader)))?;
    stage.lab().until_restarted(&leader, pid, LIMIT).await?;
    stage.group.settled(3, None).await?;
    let whole = since.elapsed();
    let writes = writer.longest(Label::Kill).context("no write came after the reboot")?.length;
    ensure!(
        stage.group.member_ids(3).await? == before && stage.seen().fewest_voters == Some(3),
        "the membership changed: {:?}",
        stage.seen()
    );
    let back = "no leave: the same member came back with its data";
    let row = Row::new("D3b: one of three reboots", "the leader's machine, but not its disk", back).took(Took { writes, whole });
    stage.nothing_lost(3, writer, row).await
}

/// A new instance comes while one of three is frozen but in service: no node mistakes that for a death, and the new one waits.
#[tokio::test]
async fn a_replacement_comes_while_one_of_three_is_merely_silent() -> anyhow::Result<()> {
    let stage = Stage::of(3).await?;
    let before = stage.group.member_ids(3).await?;
    let writer = stage.load(100).await?;
    stage.witness.count_voters();
    let silent = follower(&stage).await?;
    stage.lab().freeze_machine(&silent);
    stage.group.resize(4)?;
    // Ten times the grace for the departed, and longer than a silent instance needs to be looked up.
    sleep(Duration::from_secs(20)).await;
    let seen = stage.seen();
    ensure!(seen.fewest_voters == Some(3), "the silent one was removed: {seen:?}");
    let since = Instant::now();
    stage.lab().thaw_machine(&silent);
    stage.group.settled(4, None).await?;
    let whole = since.elapsed();
    let after = stage.group.member_ids(4).await?;
    ensure!(before.iter().all(|(instance, member)| after.get(instance) == Some(member)), "{before:?} became {after:?}");
    let row = Row::new(
        "D3b: one of three is silent and in service",
        "nothing but its network or its scheduler, for 20 s; a fourth instance comes",
        "silence is no death: nobody was removed, the fourth joined when it answered again",
    );
    stage.nothing_lost(4, writer, row.settled_after(whole)).await
}
