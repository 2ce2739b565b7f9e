//! Instances that die without notice.

use std::time::Duration;

use super::group::{Group, LIMIT};
use quorate_core::ids::InstanceId;
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::writer::Label;

/// Kills the machine of one of three under load and waits until the group is whole again.
async fn killed_hard(pick: impl AsyncFn(&Group) -> anyhow::Result<InstanceId>) -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let victim = pick(&group).await?;
    let writer = group.write()?;
    group.until_written(&writer, 50).await?;
    writer.label(Label::Kill);
    group.lab.hard_kill(&victim);
    group.until_written(&writer, 50).await?;
    group.lab.until_gone(&victim, LIMIT).await?;
    group.settled(3, None).await?;
    group.settled(3, Some(&writer.stop().await)).await?;
    assert_eq!(group.generation()?, 1);
    Ok(())
}

#[tokio::test]
async fn a_leader_killed_hard_is_replaced() -> anyhow::Result<()> {
    killed_hard(async |group: &Group| group.lab.leader(&group.name).await).await
}

#[tokio::test]
async fn a_follower_killed_hard_is_replaced() -> anyhow::Result<()> {
    killed_hard(async |group: &Group| Ok(group.lab.followers(&group.name).await?.remove(0))).await
}

#[tokio::test]
async fn a_dead_member_is_removed_before_its_replacement_is_added() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let witness = Witness::of(&group.lab);
    let victim = group.lab.followers(&group.name).await?.remove(0);
    witness.count_voters();
    group.lab.hard_kill(&victim);
    group.lab.until_gone(&victim, LIMIT).await?;
    group.settled(3, None).await?;
    let seen = witness.sightings();
    assert_eq!((seen.fewest_voters, seen.most_members), (Some(2), 3));
    let replacement = group.live().pop().unwrap();
    assert!(seen.removed_at[&victim] < seen.voting_since[&replacement]);
    Ok(())
}

#[tokio::test]
async fn two_terminated_at_once_leave_one_after_the_other() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let witness = Witness::of(&group.lab);
    let writer = group.write()?;
    witness.count_voters();
    let victims = group.live().split_off(1);
    victims.iter().try_for_each(|victim| group.replace(victim))?;
    for victim in &victims {
        group.lab.until_gone(victim, LIMIT).await?;
    }
    group.settled(3, None).await?;
    assert!(witness.sightings().fewest_voters >= Some(2), "{:?}", witness.sightings().fewest_voters);
    group.settled(3, Some(&writer.stop().await)).await
}

/// Of the two that remain after the first, the second is half: with policy `safe` the survivor continues from its own data.
#[tokio::test]
async fn two_of_three_killed_before_a_replacement_joined_are_recovered_from_the_survivor() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let writer = group.write()?;
    group.until_written(&writer, 50).await?;
    group.lab.region().with(|region, now| region.set_capacity_short(&group.name, true, now));
    let [first, second, survivor]: [InstanceId; 3] = group.live().try_into().unwrap();
    writer.label(Label::Kill);
    group.lab.hard_kill(&first);
    group.lab.until_whole(&group.name, 2, LIMIT).await?;
    group.until_written(&writer, 50).await?;
    let written = writer.stop().await;
    group.lab.hard_kill(&second);
    group.lab.region().with(|region, now| region.set_capacity_short(&group.name, false, now));
    group.lab.until_gone(&second, LIMIT).await?;
    group.settled(3, Some(&written)).await?;
    assert!(group.live().contains(&survivor));
    assert_eq!(group.generation()?, 2);
    Ok(())
}

/// A partition is not a death: no node acts on members that are merely silent.
#[tokio::test]
async fn nobody_acts_on_silence_alone() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let witness = Witness::of(&group.lab);
    witness.count_voters();
    let [silent, other, ..] = &group.live()[..] else { anyhow::bail!("three were launched") };
    for instance in [silent, other] {
        group.lab.kill_agent(instance, rustix::process::Signal::KILL).await?;
        group.lab.freeze_etcd(instance)?;
    }
    tokio::time::sleep(Duration::from_secs(15)).await;
    for instance in [silent, other] {
        group.lab.thaw_etcd(instance)?;
        group.lab.start_agent(instance).await?;
    }
    group.settled(3, None).await?;
    assert_eq!((witness.sightings().fewest_voters, group.generation()?), (Some(3), 1));
    Ok(())
}
