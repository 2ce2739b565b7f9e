//! One cluster of several groups, one in each zone, beside a group of workers that has the cluster's tag too.

use std::collections::BTreeSet;
use std::time::Duration;

use super::group::{CLUSTER, HOOK, LIMIT, says};
use quorate_core::ids::{GroupName, InstanceId};
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::writer::{Writer, Written};
use quorate_lab::lab::{Lab, LabOptions};
use quorate_lab::region::{Caller, LifecycleAction, Transition};
use serde_json::Value;

const ZONES: [&str; 3] = ["eu-central-1a", "eu-central-1b", "eu-central-1c"];

/// Three groups of one.
struct Zones {
    lab: Lab,
    groups: Vec<GroupName>,
    workers: GroupName,
}

impl Zones {
    async fn settled() -> anyhow::Result<Self> {
        let lab = Lab::start(LabOptions::quick()?).await?;
        // The worker is there before any node could found: its agent does not answer, and silence is never consent.
        let workers = workers(&lab)?;
        lab.until_in_service(&workers, 1, LIMIT).await?;
        let groups = ZONES.map(|zone| lab.create_group(lab.group(&format!("etcd-{zone}"), CLUSTER, 1, HOOK).zone(zone)));
        let groups = groups.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let zones = Self { lab, groups, workers };
        zones.whole(3, None).await?;
        Ok(zones)
    }

    /// What has to hold at the end of every test.
    async fn whole(&self, size: usize, written: Option<&Written>) -> anyhow::Result<()> {
        self.lab.until_in_service(&self.groups[..], size, LIMIT).await?;
        self.lab.settled(&self.groups[..], size, LIMIT, written).await
    }

    async fn whole_without(&self, instance: &InstanceId, size: usize) -> anyhow::Result<()> {
        self.lab.until_gone(instance, LIMIT).await?;
        self.whole(size, None).await
    }

    fn write(&self) -> anyhow::Result<Writer> {
        let live = self.lab.live(&self.groups[..]);
        let addresses = live.iter().map(|one| self.lab.address(one)).collect::<anyhow::Result<_>>()?;
        Ok(Writer::start(addresses, "/zones/"))
    }

    fn group_of(&self, instance: &InstanceId) -> anyhow::Result<GroupName> {
        let group = self.groups.iter().find(|group| self.lab.region().lock().members(group).any(|one| one.id == *instance));
        group.cloned().ok_or_else(|| anyhow::anyhow!("{instance} is in none of the groups"))
    }

    /// Everything that held this instance back at this transition: the hook's group, and the caller that completed it.
    fn completed(&self, instance: &InstanceId, transition: Transition) -> Vec<(GroupName, Option<Caller>)> {
        let meant = |action: &&LifecycleAction| action.instance == *instance && action.transition == transition;
        let region = self.lab.region().lock();
        region.actions().iter().filter(meant).map(|action| (action.group.clone(), action.completed_by().cloned())).collect()
    }

    fn zones(&self) -> BTreeSet<String> {
        let live = self.lab.live(&self.groups[..]);
        let region = self.lab.region().lock();
        live.iter().filter_map(|id| region.instance(id)).map(|one| one.zone.to_string()).collect()
    }
}

/// One instance without hooks, which would time out: this version of the agent has no such role, and keeps saying so.
fn workers(lab: &Lab) -> anyhow::Result<GroupName> {
    let mut spec = lab.group("workers", CLUSTER, 1, HOOK).tag("quorate:role", "worker");
    spec.hooks.clear();
    lab.create_group(spec)
}

fn by(instance: &InstanceId) -> Option<Caller> {
    Some(Caller::Instance(instance.clone()))
}

#[tokio::test]
async fn three_groups_of_one_are_one_cluster_and_a_group_of_another_role_is_no_part_of_it() -> anyhow::Result<()> {
    let zones = Zones::settled().await?;
    assert_eq!(zones.zones().into_iter().collect::<Vec<_>>(), ZONES);
    assert_eq!(zones.lab.cluster_ids().await.len(), 1);
    for group in &zones.groups {
        let [instance]: [InstanceId; 1] = zones.lab.live(group).try_into().expect("a group of one");
        assert_eq!(zones.completed(&instance, Transition::Launching), [(group.clone(), by(&instance))]);
    }
    // `until_whole` asserts the voters; this, that no node waits for the worker, and that its own agent mistakes no etcd member for a server.
    let worker = zones.lab.live(&zones.workers).remove(0);
    for instance in zones.lab.live(&zones.groups[..]) {
        let status = zones.lab.status(&instance).await?.to_string();
        assert!(!status.contains(worker.as_str()), "{instance} mentions the worker: {status}");
    }
    assert!(zones.lab.log(&worker).contains("waits for a server: none of the 0 known ones answers"), "{}", zones.lab.log(&worker));
    Ok(())
}

#[tokio::test]
async fn the_instance_of_one_group_is_replaced_while_the_other_groups_vote_on() -> anyhow::Result<()> {
    let zones = Zones::settled().await?;
    let witness = Witness::of(&zones.lab);
    let writer = zones.write()?;
    let old = zones.lab.followers(&zones.groups[..]).await?.remove(0);
    let group = zones.group_of(&old)?;
    witness.count_voters();
    zones.lab.operator(|api| api.terminate_in_group(&old, false))?;
    zones.whole_without(&old, 3).await?;
    let new = zones.lab.live(&group).remove(0);
    assert_eq!(zones.completed(&old, Transition::Terminating), [(group.clone(), by(&old))]);
    assert_eq!(zones.completed(&new, Transition::Launching), [(group, by(&new))]);
    // The groups together want three, its own wants one: it waited for its replacement.
    assert_eq!(witness.sightings().fewest_voters, Some(3));
    assert_eq!(zones.zones().len(), 3);
    zones.whole(3, Some(&writer.stop().await)).await
}

#[tokio::test]
async fn the_dead_instance_of_one_group_is_finished_by_the_leader_of_another() -> anyhow::Result<()> {
    let zones = Zones::settled().await?;
    let writer = zones.write()?;
    let leader = zones.lab.leader(&zones.groups[..]).await?;
    let dead = zones.lab.followers(&zones.groups[..]).await?.remove(0);
    let group = zones.group_of(&dead)?;
    assert_ne!(group, zones.group_of(&leader)?);
    zones.lab.hard_kill(&dead);
    zones.whole_without(&dead, 3).await?;
    assert_eq!(zones.completed(&dead, Transition::Terminating), [(group, by(&leader))]);
    zones.whole(3, Some(&writer.stop().await)).await
}

/// A zone is closed for good, and another opened: the cluster moves with its groups, and a death in the young one is finished like any other.
#[tokio::test]
async fn a_zone_is_added_and_another_is_closed() -> anyhow::Result<()> {
    let mut zones = Zones::settled().await?;
    let writer = zones.write()?;
    zones.groups.push(zones.lab.create_group(zones.lab.group("etcd-eu-central-1d", CLUSTER, 1, HOOK).zone("eu-central-1d"))?);
    zones.whole(4, None).await?;
    let young = zones.lab.live(&zones.groups[3]).remove(0);
    zones.lab.hard_kill(&young);
    zones.whole_without(&young, 4).await?;
    let closed = zones.groups[0].clone();
    zones.lab.operator(|api| api.set_desired_capacity(&closed, 0))?;
    zones.whole(3, None).await?;
    assert_eq!(zones.zones().into_iter().collect::<Vec<_>>(), ["eu-central-1b", "eu-central-1c", "eu-central-1d"]);
    zones.whole(3, Some(&writer.stop().await)).await
}

/// The tags of one group name another store by mistake: its instance finds no charter there, and founds nothing beside the living cluster.
#[tokio::test]
async fn a_group_that_names_another_store_founds_nothing_beside_the_cluster() -> anyhow::Result<()> {
    let zones = Zones::settled().await?;
    let store = zones.lab.directory().join("another-store");
    std::fs::create_dir(&store)?;
    let store = format!("file://{}", store.display());
    let stray = zones.lab.group("etcd-stray", CLUSTER, 1, HOOK).zone("eu-central-1d").tag("quorate:store", &store);
    let stray = zones.lab.create_group(stray)?;
    let launched = || async { zones.lab.live(&stray).pop().ok_or("not launched yet".to_owned()) };
    let instance = zones.lab.until(LIMIT, "the stray instance", launched).await?;
    let refuses = |status: &Value| says(status, "does not found a cluster") && says(status, "sees a quorum");
    zones.lab.until_status(&instance, LIMIT, "the stray instance to say why it founds nothing", refuses).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(zones.lab.etcd_process(&instance).is_none(), "it runs an etcd of its own");
    zones.lab.until_whole(&zones.groups[..], 3, LIMIT).await?;
    Ok(())
}
