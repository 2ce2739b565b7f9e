//! Warm pools, hibernation and replaced root volumes: the same instance comes back, and brings nothing along.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::ids::{InstanceId, MemberId};
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::{Lab, LabOptions};
use quorate_lab::region::{GroupSpec, LifecycleState, PoolState, RefreshPreferences, WarmPool};

use super::group::{CLUSTER, Group, HOOK, LIMIT};

/// A group of this size; `change` makes it differ from every other test's.
async fn group(size: u32, change: impl FnOnce(GroupSpec) -> GroupSpec) -> anyhow::Result<Group> {
    Group::launched_as(Lab::start(LabOptions::quick()?).await?, size, HOOK, change)
}

/// A limit on the instances in the group and its pool together; a scale-in returns instances to the pool.
fn in_all(most: u32, state: PoolState) -> WarmPool {
    WarmPool { state, min: 0, max_prepared: Some(most), reuse_on_scale_in: true }
}

/// Waits until `serving` instances serve, `spares` rest in the pool, and none is on its way.
async fn until_rested(group: &Group, serving: usize, spares: usize) -> anyhow::Result<()> {
    let rested = || async {
        let region = group.lab.region().lock();
        let states: Vec<_> = region.members(&group.name).map(|one| (one.lifecycle, one.powered)).collect();
        let serve = states.iter().filter(|(state, _)| *state == LifecycleState::InService).count();
        let asleep = |(state, powered): &&(LifecycleState, bool)| {
            matches!(state, LifecycleState::WarmedStopped | LifecycleState::WarmedHibernated) && !powered
        };
        let rest = states.iter().filter(asleep).count();
        if (serve, rest) == (serving, spares) && states.len() == serving + spares { Ok(()) } else { Err(format!("{states:?}")) }
    };
    group.lab.until(LIMIT, &format!("{serving} in service and {spares} in the pool"), rested).await
}

async fn settled(group: &Group, serving: usize, spares: usize) -> anyhow::Result<BTreeMap<InstanceId, MemberId>> {
    until_rested(group, serving, spares).await?;
    group.lab.settled(&group.name, serving, LIMIT, None).await?;
    assert_eq!(group.generation()?, u64::from(serving > 0));
    Ok(group.lab.lists().await.into_iter().map(|(instance, view)| (instance, view.member)).collect())
}

#[allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]
fn the_one_that_went(before: &BTreeMap<InstanceId, MemberId>, after: &BTreeMap<InstanceId, MemberId>) -> InstanceId {
    before.keys().find(|instance| !after.contains_key(*instance)).cloned().unwrap()
}

/// A spare founds nothing, votes nowhere and joins nothing until the group calls it. One that returns to the pool leaves first, and comes back as new.
#[tokio::test]
async fn a_spare_stays_outside_until_it_is_called_and_leaves_before_it_goes_back() -> anyhow::Result<()> {
    let group = group(0, |spec| spec.warm_pool(in_all(2, PoolState::Stopped))).await?;
    until_rested(&group, 0, 2).await?;
    assert!(group.lab.charter(CLUSTER).unwrap_or_default().is_empty(), "a spare stood for founding");
    // The other stays off, does not answer, and is no reason to wait.
    group.resize(1)?;
    settled(&group, 1, 1).await?;
    group.lab.operator(|api| api.delete_warm_pool(&group.name, true))?;
    settled(&group, 1, 0).await?;
    group.resize(2)?;
    settled(&group, 2, 0).await?;

    let witness = Witness::of(&group.lab);
    let pool = in_all(3, PoolState::Stopped);
    group.lab.operator(|api| api.put_warm_pool(&group.name, pool))?;
    settled(&group, 2, 1).await?;
    assert_eq!(witness.sightings().voting_since.len(), 2, "the spare has voted");
    group.resize(3)?;
    let all = settled(&group, 3, 0).await?;
    let writer = group.write()?;
    group.until_written(&writer, 20).await?;

    group.resize(2)?;
    let fewer = settled(&group, 2, 1).await?;
    let back = the_one_that_went(&all, &fewer);
    assert!(!group.lab.disk(&back).join("data/etcd/member").exists(), "its data is not put aside");

    group.resize(3)?;
    let again = settled(&group, 3, 0).await?;
    assert_ne!(again[&back], all[&back], "it came back as the member that it was");
    assert_eq!(witness.sightings().clusters.len(), 1);
    group.settled(3, Some(&writer.stop().await)).await
}

/// It sleeps for longer than a lease lives and longer than a reading is valid. After that it takes no step based on what it knew.
#[tokio::test]
async fn an_instance_that_wakes_from_hibernation_acts_on_nothing_old() -> anyhow::Result<()> {
    let group = group(2, |spec| spec.warm_pool(in_all(2, PoolState::Hibernated))).await?;
    let both = settled(&group, 2, 0).await?;
    let writer = group.write()?;
    group.resize(1)?;
    let one = settled(&group, 1, 1).await?;
    let sleeper = the_one_that_went(&both, &one);
    let said = group.lab.log(&sleeper).len();
    let witness = Witness::of(&group.lab);
    witness.count_voters();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(group.lab.log(&sleeper).len(), said, "it is not asleep");

    group.resize(2)?;
    let again = settled(&group, 2, 0).await?;
    assert_ne!(again[&sleeper], both[&sleeper]);
    let (survivor, member) = one.iter().next().unwrap();
    assert_eq!(again.get(survivor), Some(member), "the member that served meanwhile is another");
    assert!(witness.sightings().removed_at.keys().all(|removed| *removed == sleeper), "it removed another member");
    let woken = group.lab.log(&sleeper)[said..].to_owned();
    assert!(!woken.contains("removes"), "{woken}");
    group.settled(2, Some(&writer.stop().await)).await
}

/// Each leaves before its disk is replaced, and joins again with the new one.
#[tokio::test]
async fn a_replaced_root_volume_is_left_first_and_joined_with_again() -> anyhow::Result<()> {
    let group = group(2, |spec| GroupSpec { mixed_instances: true, ..spec }).await?;
    let before = settled(&group, 2, 0).await?;
    let witness = Witness::of(&group.lab);
    let writer = group.write()?;
    group.until_written(&writer, 20).await?;
    group.lab.refresh(&group.name, RefreshPreferences::root_volumes(), LIMIT).await?;
    let after = settled(&group, 2, 0).await?;
    assert!(after.keys().eq(before.keys()), "an instance was replaced");
    assert!(after.iter().all(|(instance, member)| before[instance] != *member), "{before:?} became {after:?}");
    assert_eq!(witness.sightings().clusters.len(), 1);
    group.settled(2, Some(&writer.stop().await)).await
}
