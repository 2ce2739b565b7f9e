//! Disks that are full: the store's, the one to restore on, and etcd's own quota.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use etcd_client::{AlarmAction, AlarmType, Client, CompactionOptions};
use quorate_core::ids::InstanceId;
use quorate_lab::disasters::{Row, Took};
use quorate_lab::lab::url::http;
use quorate_lab::lab::writer::Label;
use quorate_lab::lab::{Lab, LabOptions};
use quorate_lab::region::{Process, SpotAction, Transition};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::group::{Group, HOOK, LIMIT, says};
use super::stage::{Stage, options};

/// Shorter than EC2's two minutes, like everything here, and longer than the leave needs to be held up.
const NOTICE: Duration = Duration::from_secs(18);

/// A small file system in memory. Dropping it unmounts it.
struct Small(PathBuf);

impl Small {
    /// One of this number of MiB; none where this process may not mount.
    fn mounted(mib: u32, test: &str) -> anyhow::Result<Option<Self>> {
        let small = Self(tempfile_in_tmp()?);
        let mounted = mount(&["-t", "tmpfs", "-o", &format!("size={mib}m"), "quorate-disasters"], &small.0)?;
        if mounted {
            return Ok(Some(small));
        }
        println!("SKIPPED {test}: mounting a small file system takes root");
        Ok(None)
    }

    /// Makes room.
    fn grow(&self, mib: u32) -> anyhow::Result<()> {
        ensure!(mount(&["-o", &format!("remount,size={mib}m")], &self.0)?, "cannot make {} larger", self.0.display());
        Ok(())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn tempfile_in_tmp() -> anyhow::Result<PathBuf> {
    let made = Command::new("mktemp").args(["--directory", "--tmpdir", "quorate-disasters-XXXXXX"]).output()?;
    ensure!(made.status.success(), "mktemp: {}", String::from_utf8_lossy(&made.stderr));
    Ok(PathBuf::from(String::from_utf8(made.stdout)?.trim()))
}

fn mount(arguments: &[&str], place: &Path) -> anyhow::Result<bool> {
    let mounted = Command::new("mount").args(arguments).arg(place).output().context("cannot run mount")?;
    Ok(mounted.status.success())
}

async fn client(group: &Group) -> anyhow::Result<Client> {
    let leader = group.lab.leader(&group.name).await?;
    Ok(Client::connect([http(group.lab.address(&leader)?, 2379)], None).await?)
}

/// Values of one MiB under numbered keys, until there are this many, or etcd accepts no more.
pub(crate) async fn fill(group: &Group, mib: usize) -> anyhow::Result<()> {
    let client = client(group).await?;
    for index in 0..mib {
        let put = client.kv_client().put(format!("/fill/{index}"), vec![b'x'; 1 << 20], None).await;
        if put.is_err_and(|error| error.to_string().contains("database space exceeded")) {
            return Ok(());
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_stores_disk_is_full_while_snapshots_are_taken() -> anyhow::Result<()> {
    let Some(small) = Small::mounted(8, "the_stores_disk_is_full_while_snapshots_are_taken")? else { return Ok(()) };
    let lab = Lab::start(options()?).await?;
    std::os::unix::fs::symlink(&small.0, lab.directory().join("store"))?;
    let stage = Stage::whole(Group::launched(lab, 3)?, 3).await?;
    fill(&stage.group, 16).await?;
    let writer = stage.load(50).await?;
    let first = stage.group.live()[0].clone();
    let before = stage.group.snapshots().await?.len();
    let printed = stage.lab().type_in(&first, "snapshot", &["save"]).await?;
    ensure!(!printed.succeeded && printed.err.contains("No space left"), "{printed:?}");
    ensure!(stage.group.snapshots().await?.len() == before, "half a snapshot is listed");
    let victim = stage.lab().followers(&stage.group.name).await?.remove(0);
    writer.label(Label::Kill);
    let since = Instant::now();
    stage.lab().hard_kill(&victim);
    stage.group.whole_without(&victim, 3).await?;
    let whole = since.elapsed();
    small.grow(256)?;
    stage.save().await?;
    let row = Row::new(
        "Disk: the store's is full",
        "no room for a snapshot; then one of three dies",
        "the dead one was replaced without a snapshot before; with room again the next was whole",
    );
    stage.nothing_lost(3, writer, row.settled_after(whole)).await
}

#[tokio::test]
async fn the_disk_to_restore_on_is_full() -> anyhow::Result<()> {
    let Some(small) = Small::mounted(24, "the_disk_to_restore_on_is_full")? else { return Ok(()) };
    let stage = Stage::of(1).await?;
    let load = stage.saved().await?;
    let data = small.0.join("etcd");
    stage.lab().change_settings(|settings| settings.text("paths.data_dir", data.display()));
    let mut loss = stage.all_die_under(load).await;
    stage.until_replaced(1).await?;
    let message = stage.until_all_say(&["bytes free", "make room"]).await?;
    stage.nothing_starts().await?;
    println!("on a full disk an agent says: {message}");
    loss.since = Instant::now();
    small.grow(512)?;
    let restored = stage.restores(&loss, 1).await?;
    ensure!(data.join("member").is_dir(), "it was restored elsewhere");
    restored.row(
        "Disk: the one to restore on is full",
        "the machine and its disk; the new one has no room",
        "it said how much was missing; from the moment there was room the newest snapshot was restored",
    )
}

/// etcd's quota is exceeded, so there are no leases and no lock, while a member has to leave.
///
/// It is not replaced: a new member replays the log, and with it everything that had filled the others, which raises the alarm again.
#[tokio::test]
async fn a_member_must_leave_while_etcd_is_out_of_space() -> anyhow::Result<()> {
    let stage = Stage::with(LabOptions::quick()?.set(|settings| settings.number("etcd.quota_backend_mib", 16)), 3).await?;
    let writer = stage.load(100).await?;
    stage.witness.count_voters();
    fill(&stage.group, 32).await?;
    stage.group.resize(2)?;
    let leaver = leaver_held_up(&stage).await?;
    // Longer than its hook's timeout.
    sleep(HOOK + Duration::from_secs(5)).await;
    ensure!(hook_is_open(&stage, &leaver), "its hook was not kept open");
    ensure!(leaver_held_up(&stage).await? == leaver, "it left without the lock");
    let since = Instant::now();
    make_room(&stage).await?;
    stage.group.until_written(&writer, 20).await?;
    let writes = since.elapsed();
    stage.group.whole_without(&leaver, 2).await?;
    let whole = since.elapsed();
    ensure!(stage.seen().fewest_voters >= Some(2), "{:?}", stage.seen());
    let row = Row::new(
        "Disk: etcd is out of space while a member must leave",
        "etcd's quota (NOSPACE): no writes, no leases, so no lock",
        "the leave waited and said for what, its hook kept open; it went on when an operator had made room",
    );
    stage.nothing_lost(2, writer, row.took(Took { writes, whole })).await
}

/// EC2 takes a spot machine back meanwhile, without asking: at the last moment its member goes without the lock.
#[tokio::test]
async fn a_machine_is_taken_back_while_etcd_is_out_of_space() -> anyhow::Result<()> {
    let stage = Stage::with(LabOptions::quick()?.set(|settings| settings.number("etcd.quota_backend_mib", 16)), 3).await?;
    let writer = stage.load(100).await?;
    fill(&stage.group, 32).await?;
    stage.lab().operator(|api| api.suspend_processes(&stage.group.name, &[Process::Launch]))?;
    let taken = stage.lab().followers(&stage.group.name).await?.remove(0);
    let since = Instant::now();
    let announced = stage.lab().region().with(|region, now| {
        region.metadata_mut(&taken)?.spot = Some(SpotAction { action: "terminate", time: now + NOTICE });
        Some(())
    });
    announced.context("there is no such instance")?;
    ensure!(leaver_held_up(&stage).await? == taken, "another leaves");
    let out = || async {
        let lists = stage.lab().lists().await;
        let left = lists.iter().filter(|(instance, _)| **instance != taken).all(|(_, view)| view.members.len() == 2);
        if left && lists.len() >= 2 { Ok(()) } else { Err(format!("{lists:?}")) }
    };
    stage.lab().until(NOTICE, "its member to be out before it is taken", out).await?;
    let whole = since.elapsed();
    ensure!(stage.lab().log(&taken).contains("without the lock"), "it does not say so: {}", stage.lab().log(&taken));
    make_room(&stage).await?;
    stage.group.until_written(&writer, 20).await?;
    stage.lab().operator(|api| api.terminate_instances(std::slice::from_ref(&taken)))?;
    stage.lab().until_gone(&taken, LIMIT).await?;
    stage.group.resize(2)?;
    stage.group.settled(2, None).await?;
    let row = Row::new(
        "Disk: etcd is out of space while a spot machine is taken back",
        "etcd's quota (NOSPACE), so no lock; and the machine of one of three, after a notice",
        "with the last of its time its member was removed without the lock; the charter followed when there was room",
    );
    stage.nothing_lost(2, writer, row.settled_after(whole)).await
}

/// The alarm is on, and the node that has to leave is still a member and reports that the lock is refused.
async fn leaver_held_up(stage: &Stage) -> anyhow::Result<InstanceId> {
    let alarms = client(&stage.group).await?.alarm(AlarmAction::Get, AlarmType::Nospace, None).await?;
    ensure!(!alarms.alarms().is_empty(), "there is no alarm");
    let votes = |status: &Value| status["voters"].as_array().is_some_and(|voters| voters.len() == 3);
    let held_up = |status: &Value| status["phase"] == "leaving" && votes(status) && says(status, "the lock was refused");
    let leaver = stage.group.until_any("the leaver to be held up", held_up).await?;
    ensure!(stage.lab().log(&leaver).contains("database space exceeded"), "it does not say why: {}", stage.lab().log(&leaver));
    Ok(leaver)
}

fn hook_is_open(stage: &Stage, leaver: &InstanceId) -> bool {
    let region = stage.lab().region().lock();
    let mut hooks = region.actions().iter().filter(|one| one.instance == *leaver && one.transition == Transition::Terminating);
    hooks.any(|one| one.open() && one.heartbeats > 0)
}

/// What an operator does: deletes, compacts, defragments every member, and disarms.
async fn make_room(stage: &Stage) -> anyhow::Result<()> {
    let mut client = client(&stage.group).await?;
    let deleted = client.delete("/fill/", Some(etcd_client::DeleteOptions::new().with_prefix())).await?;
    let revision = deleted.header().context("an answer without a header")?.revision();
    // Without `physical` the answer comes before the space can be given back.
    client.compact(revision, Some(CompactionOptions::new().with_physical())).await?;
    for instance in stage.lab().lists().await.into_keys() {
        let mut member = Client::connect([http(stage.lab().address(&instance)?, 2379)], None).await?;
        member.defragment().await?;
        let size = member.status().await?.db_size();
        ensure!(size < 1 << 20, "the database of {instance} still has {size} bytes");
    }
    for alarm in client.alarm(AlarmAction::Get, AlarmType::Nospace, None).await?.alarms() {
        let mut options = etcd_client::AlarmOptions::new();
        options.with_member(alarm.member_id());
        client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(options)).await?;
    }
    Ok(())
}
