//! Every voter dies with its disk: what clients see, and agents that die while they restore. What comes back, and what never does, is among the disasters.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use etcd_client::{Client, GetOptions, WatchOptions};
use quorate_core::ids::InstanceId;
use quorate_lab::lab::url::http;
use quorate_lab::lab::{Lab, LabOptions, binaries};

use super::crash::points;
use super::group::{CRASH, Group, LIMIT, LONG_HOOK};

/// This number of keys, each with its number for a value.
pub(crate) async fn put(group: &Group, keys: std::ops::Range<usize>) -> anyhow::Result<()> {
    let client = client(group, &group.live()[0]).await?;
    for index in keys {
        client.kv_client().put(format!("/kept/{index:04}"), index.to_string(), None).await?;
    }
    Ok(())
}

async fn client(group: &Group, instance: &InstanceId) -> anyhow::Result<Client> {
    Ok(Client::connect([http(group.lab.address(instance)?, 2379)], None).await?)
}

/// The keys and values, as every member reports them.
pub(crate) async fn kept(group: &Group) -> anyhow::Result<BTreeMap<String, String>> {
    let mut all = Vec::new();
    for instance in group.live() {
        let response = client(group, &instance).await?.kv_client().get("/kept/", Some(GetOptions::new().with_prefix())).await?;
        let pair = |kv: &etcd_client::KeyValue| Ok((kv.key_str()?.to_owned(), kv.value_str()?.to_owned()));
        all.push(response.kvs().iter().map(pair).collect::<anyhow::Result<BTreeMap<_, _>>>()?);
    }
    anyhow::ensure!(all.windows(2).all(|two| two[0] == two[1]), "the members differ: {all:#?}");
    all.pop().context("nobody lives")
}

pub(crate) fn numbered(keys: std::ops::Range<usize>) -> BTreeMap<String, String> {
    keys.map(|index| (format!("/kept/{index:04}"), index.to_string())).collect()
}

pub(crate) async fn save(group: &Group) -> anyhow::Result<String> {
    let printed = group.lab.type_in(&group.live()[0], "snapshot", &["save"]).await?;
    anyhow::ensure!(printed.succeeded, "{printed:?}");
    Ok(printed.out)
}

/// All machines die at once, and their group replaces them.
async fn all_die(group: &Group) -> anyhow::Result<()> {
    let dead = group.live();
    dead.iter().for_each(|instance| group.lab.hard_kill(instance));
    group.until_gone(&dead).await
}

/// Whether etcd's tool of this run continues revisions far above the restored one: 3.4.27, 3.5.10 and 3.6 do, and Debian's 3.4.23 does not.
async fn tool_bumps() -> anyhow::Result<bool> {
    let tool = binaries::restore_tool(&binaries::etcd(None)?).context("no tool restores")?;
    let help = tokio::process::Command::new(tool).env("ETCDCTL_API", "3").args(["snapshot", "restore", "--help"]).output().await?;
    Ok(String::from_utf8_lossy(&[help.stdout, help.stderr].concat()).contains("--bump-revision"))
}

async fn revision(group: &Group) -> anyhow::Result<i64> {
    let response = client(group, &group.live()[0]).await?.kv_client().get("/kept/", None).await?;
    Ok(response.header().context("no header")?.revision())
}

/// A client knows revisions that the restore loses. If later writes got the same numbers, it would mistake them for what it knows already, or silently wait
/// for the next one: it has to get the error that its revision no longer exists.
#[tokio::test]
async fn who_goes_on_from_a_revision_before_the_loss_is_told_so() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    put(&group, 0..10).await?;
    save(&group).await?;
    put(&group, 10..60).await?;
    let known = revision(&group).await?;
    all_die(&group).await?;
    group.settled(1, None).await?;
    assert_eq!(kept(&group).await?, numbered(0..10));
    let now = revision(&group).await?;
    if !tool_bumps().await? {
        println!("etcd's tool here has no --bump-revision: the restored cluster goes on at {now}, and who knew {known} is told nothing");
        assert!(now < known + 1_000, "{now} after {known}: then the tool does bump, and the rest of this test is to be run");
        return Ok(());
    }
    assert!(now > known + 900_000_000, "revisions continue far above what any client knew: {now} after {known}");
    let client = client(&group, &group.live()[0]).await?;
    for old in [known - 55, known] {
        let read = client.kv_client().get("/kept/", Some(GetOptions::new().with_prefix().with_revision(old))).await;
        let error = read.err().with_context(|| format!("a read at revision {old} is answered"))?.to_string();
        assert!(error.contains("compacted"), "{error}");
    }
    let watch = WatchOptions::new().with_prefix().with_start_revision(known + 1);
    let mut events = client.watch_client().watch("/kept/", Some(watch)).await?;
    let told = async {
        loop {
            let message = events.message().await?.context("the watch ended in silence")?;
            if message.canceled() || !message.events().is_empty() {
                return anyhow::Ok(message);
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(10), told).await.context("the watch waits in silence")??;
    assert!(told.canceled() && told.compact_revision() > known, "{told:?}");
    put(&group, 300..301).await?;
    assert!(revision(&group).await? > now, "it lives on");
    println!("the client knew revision {known}, the restored cluster goes on at {now}, and a watch from {} is told so", known + 1);
    Ok(())
}

/// The first agent that comes to this point of the restore dies there. The agent that is then started on the same machine, or on one launched in its
/// place, finishes what was begun.
async fn restores_despite(point: &str, machine_dies_too: bool) -> anyhow::Result<()> {
    let group = Group::launched_with(Lab::start(LabOptions::quick()?).await?, 1, LONG_HOOK)?;
    group.settled(1, None).await?;
    put(&group, 0..50).await?;
    save(&group).await?;
    group.lab.agent_environment(CRASH, Some(point));
    let first = group.live().pop().context("nobody lives")?;
    // No agent completes its hook before there is a cluster again, so this does not wait for it.
    group.lab.hard_kill(&first);
    let started = || async {
        let restorer = group.live().into_iter().find(|id| *id != first).ok_or("nobody is launched yet")?;
        if group.lab.agent_started(&restorer).is_some() { Ok(restorer) } else { Err("its agent was not started yet".to_owned()) }
    };
    let restorer = group.lab.until(LIMIT, "the restorer's agent to be started", started).await?;
    group.lab.agent_environment(CRASH, None);
    group.lab.agent_ended(&restorer, LIMIT).await?;
    if machine_dies_too {
        group.lab.hard_kill(&restorer);
    } else {
        group.lab.start_agent(&restorer).await?;
    }
    group.settled(1, None).await?;
    assert_eq!(kept(&group).await?, numbered(0..50));
    Ok(())
}

#[tokio::test]
async fn a_restorer_that_dies_at_any_step_finishes_when_it_is_back() -> anyhow::Result<()> {
    for point in points(&["fetch-snapshot", "create-record", "restore-snapshot", "start-member"]) {
        restores_despite(&point, false).await.context(point)?;
    }
    Ok(())
}

/// Before and after the restore itself, in a cluster of three, it dies among the disasters.
#[tokio::test]
async fn a_restorer_that_dies_with_its_machine_is_followed_by_another() -> anyhow::Result<()> {
    for point in ["after:create-record", "after:start-member"] {
        restores_despite(point, true).await.context(point)?;
    }
    Ok(())
}
