//! Instances that die without notice.

use super::group::{Group, LIMIT};
use quorate_core::ids::InstanceId;
use quorate_lab::lab::witness::Witness;
use quorate_lab::lab::writer::Label;

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
