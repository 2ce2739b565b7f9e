//! What happens to a cluster in its life: reboots, freezes, new disks, refreshes, sizes up and down.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;

use super::group::{CLUSTER, Group, LIMIT};
use quorate_core::ids::InstanceId;
use quorate_lab::wire::{Fault, Rule, Scope};
use tokio::time::sleep;

/// A member that runs but does not answer is restarted with its data.
async fn frozen(group: &Group, instance: &InstanceId) -> anyhow::Result<()> {
    let before = group.member_ids(3).await?;
    let writer = group.write()?;
    let pid = group.lab.etcd_process(instance).map(|etcd| etcd.pid);
    group.lab.freeze_etcd(instance)?;
    group.lab.until_restarted(instance, pid, LIMIT).await?;
    assert_eq!(group.member_ids(3).await?, before);
    group.settled(3, Some(&writer.stop().await)).await
}

#[tokio::test]
async fn a_frozen_etcd_is_restarted() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    frozen(&group, &group.lab.followers(&group.name).await?.remove(0)).await?;
    frozen(&group, &group.lab.leader(&group.name).await?).await
}

/// AWS accepts every call and answers none. No agent waits for it: each decides as often as before, from what it knew.
#[tokio::test]
async fn a_silent_aws_holds_up_no_agent() -> anyhow::Result<()> {
    const OUTAGE: Duration = Duration::from_secs(20);
    /// A look at IMDS may take its two seconds, one at AWS one; far less than the watchdog's limit.
    const SLOW: u64 = 5000;
    let group = Group::of(3).await?;
    let before = group.member_ids(3).await?;
    let writer = group.write()?;
    let over = group.lab.now() + OUTAGE;
    for scope in [Scope::Api { service: None, action: None, caller: None }, Scope::Imds { path: None, instance: None }] {
        group.lab.faults().add(Rule::new(scope, Fault::Delay(OUTAGE * 2)).until(over));
    }
    // One that must act, so AWS is asked often.
    let killed = group.lab.followers(&group.name).await?.remove(0);
    group.lab.kill_etcd(&killed)?;
    let mut oldest = 0;
    while group.lab.now() < over {
        for instance in before.keys() {
            let age = group.lab.status(instance).await?["age_ms"].as_u64();
            oldest = oldest.max(age.unwrap_or(u64::MAX));
        }
        sleep(Duration::from_millis(200)).await;
    }
    println!("during {} s of silence no decision was older than {oldest} ms", OUTAGE.as_secs());
    assert!(oldest < SLOW, "an agent decided nothing for {oldest} ms");
    assert_eq!(group.member_ids(3).await?, before);
    group.settled(3, Some(&writer.stop().await)).await
}

#[tokio::test]
async fn the_same_instance_with_an_empty_disk_joins_anew() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let before = group.member_ids(3).await?;
    let writer = group.write()?;
    let instance = group.lab.followers(&group.name).await?.remove(0);
    group.lab.wipe_disk(&instance).await?;
    let anew = || async {
        let lists = group.lab.lists().await;
        let now = lists.get(&instance).map(|view| view.member);
        if now.is_some() && now != before.get(&instance).copied() { Ok(()) } else { Err(format!("its member is {now:?}")) }
    };
    group.lab.until(LIMIT, "a new member on the new disk", anew).await?;
    group.settled(3, Some(&writer.stop().await)).await?;
    assert_eq!(group.generation()?, 1);
    Ok(())
}

#[tokio::test]
async fn every_instance_is_replaced_under_load() -> anyhow::Result<()> {
    Group::of(3).await?.is_replaced_under_load().await
}

/// A group with nothing left comes back from its newest snapshot, as the next generation.
#[tokio::test]
async fn sizes_one_three_five_three_one_none_three() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let writer = group.write()?;
    for size in [3, 5, 3, 1] {
        group.resize(size)?;
        group.settled(size as usize, None).await?;
    }
    group.settled(1, Some(&writer.stop().await)).await?;
    group.resize(0)?;
    group.lab.until_in_service(&group.name, 0, LIMIT).await?;
    group.resize(3)?;
    group.settled(3, None).await?;
    assert_eq!(group.established()?, BTreeSet::from([1, 2]));
    let second = group.lab.charter(CLUSTER)?.into_iter().find(|record| record["generation"] == 2).context("no second generation")?;
    assert_eq!(second["origin"]["from"], "snapshot", "{second:#}");
    Ok(())
}
