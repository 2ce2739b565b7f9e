//! How a cluster forms: staggered, with its founder killed, without AWS, with an old view of AWS, beside another, with a broken node.

use std::collections::BTreeSet;
use std::time::Duration;

use super::group::{CLUSTER, CRASH, Group, HOOK, LIMIT, LONG_HOOK};
use quorate_core::ids::GroupName;
use quorate_lab::lab::{Lab, LabOptions};
use quorate_lab::region::{ActionResult, LifecycleAction, Service, Transition, View, ViewRule};
use quorate_lab::wire::{Fault, Rule, Scope};
use tokio::time::sleep;

#[tokio::test]
async fn a_staggered_cold_start_makes_one_cluster() -> anyhow::Result<()> {
    let group = Group::launched(Lab::start(LabOptions::quick()?).await?, 1)?;
    for size in [2, 3] {
        sleep(Duration::from_millis(1500)).await;
        group.resize(size)?;
    }
    group.settled(3, None).await?;
    assert_eq!(group.generation()?, 1);
    Ok(())
}

/// Three instances; the one that founds dies at this point, with its machine.
async fn founder_dies(point: &str) -> anyhow::Result<Group> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    lab.agent_environment(CRASH, Some(point));
    let group = Group::launched(lab, 3)?;
    let dead = group.until_one_dies().await?;
    group.lab.hard_kill(&dead);
    // No other node is to die there.
    for instance in group.live().into_iter().filter(|instance| *instance != dead) {
        let _ = group.lab.kill_agent(&instance, rustix::process::Signal::TERM).await;
        group.lab.start_agent(&instance).await?;
    }
    Ok(group)
}

#[tokio::test]
async fn a_founder_that_dies_before_it_established_is_followed_by_another() -> anyhow::Result<()> {
    let group = founder_dies("after:start-member").await?;
    group.settled(3, None).await
}

#[tokio::test]
async fn a_founder_that_dies_just_after_it_established_leaves_a_halt_and_never_an_empty_cluster() -> anyhow::Result<()> {
    let group = founder_dies("before:stop-member").await?;
    group.until_halted().await?;
    assert_eq!(group.generation()?, 1, "a node founded again");
    let instance = &group.live()[0];
    group.lab.quorate(instance, &["recover", "--fresh", "--cluster", CLUSTER]).await?;
    group.settled(3, None).await?;
    assert!(group.generation()? > 1);
    Ok(())
}

#[tokio::test]
async fn a_cold_start_survives_thirty_seconds_of_throttling() -> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    throttle(&lab);
    let group = Group::launched_with(lab, 3, LONG_HOOK)?;
    group.settled(3, None).await
}

#[tokio::test]
async fn a_replacement_survives_thirty_seconds_of_throttling() -> anyhow::Result<()> {
    let group = Group::launched_with(Lab::start(LabOptions::quick()?).await?, 3, LONG_HOOK)?;
    group.settled(3, None).await?;
    let writer = group.write()?;
    throttle(&group.lab);
    group.replace(&group.lab.leader(&group.name).await?)?;
    sleep(Duration::from_secs(30)).await;
    group.settled(3, None).await?;
    group.settled(3, Some(&writer.stop().await)).await
}

fn throttle(lab: &Lab) {
    let everything = Scope::Api { service: None, action: None, caller: None };
    lab.faults().add(Rule::new(everything, Fault::Throttle).until(lab.now() + Duration::from_secs(30)));
}

#[tokio::test]
async fn views_thirty_seconds_old_delay_a_cluster_and_harm_nothing() -> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    let lag = View::Lag(Duration::from_secs(30));
    for service in [Service::Ec2, Service::AutoScaling] {
        lab.region().lock().add_view(ViewRule { service, caller: None, view: lag.clone() });
    }
    let group = Group::launched_with(lab, 3, LONG_HOOK)?;
    group.settled(3, None).await?;
    assert_eq!(group.generation()?, 1);
    let gone = group.live()[0].clone();
    group.replace(&gone)?;
    group.whole_without(&gone, 3).await
}

#[tokio::test]
async fn two_clusters_in_one_account_keep_apart() -> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    let one = lab.create_group(lab.group("etcd-one", "one", 2, HOOK))?;
    let two = lab.create_group(lab.group("etcd-two", "two", 2, HOOK))?;
    let clusters = |group: &GroupName| {
        let group = group.clone();
        let lab = &lab;
        async move {
            let lists = lab.until_whole(&group, 2, LIMIT).await?;
            anyhow::Ok(lists.values().map(|view| view.cluster).collect::<BTreeSet<_>>())
        }
    };
    let (one_is, two_is) = (clusters(&one).await?, clusters(&two).await?);
    assert_eq!((one_is.len(), two_is.len()), (1, 1));
    assert!(one_is.is_disjoint(&two_is), "both are {one_is:?}");
    lab.settled(&one, 2, LIMIT, None).await?;
    lab.settled(&two, 2, LIMIT, None).await
}

#[tokio::test]
async fn a_launch_whose_node_never_becomes_healthy_is_abandoned_and_replaced() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let healthy = group.live();
    group.lab.change_settings(|settings| {
        settings.text("etcd.binary", "/bin/false").number("timing.join_deadline_s", 6).number("timing.learner_patience_s", 6)
    });
    group.resize(2)?;
    let sick = || async {
        let new = group.live().into_iter().find(|instance| !healthy.contains(instance));
        new.filter(|instance| group.lab.agent_started(instance).is_some()).ok_or_else(|| "not launched yet".to_owned())
    };
    let sick = group.lab.until(LIMIT, "the second instance to be launched", sick).await?;
    group.lab.change_settings(|settings| settings.text("etcd.binary", quorate_lab::lab::binaries::etcd(None).unwrap().display()));
    group.whole_without(&sick, 2).await?;
    let abandoned = |action: &&LifecycleAction| action.completed() == Some(ActionResult::Abandon);
    let region = group.lab.region().lock();
    let abandoned: Vec<_> = region.actions().iter().filter(abandoned).map(|action| (&action.instance, action.transition)).collect();
    assert_eq!(abandoned, [(&sick, Transition::Launching)]);
    Ok(())
}
