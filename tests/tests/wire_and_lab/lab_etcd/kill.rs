//! Instances that die without notice.

use super::group::Group;
use quorate_lab::lab::witness::Witness;

#[tokio::test]
async fn two_terminated_at_once_leave_one_after_the_other() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let witness = Witness::of(&group.lab);
    let writer = group.write()?;
    witness.count_voters();
    let victims = group.live().split_off(1);
    victims.iter().try_for_each(|victim| group.replace(victim))?;
    group.until_gone(&victims).await?;
    group.settled(3, None).await?;
    assert!(witness.sightings().fewest_voters >= Some(2), "{:?}", witness.sightings().fewest_voters);
    group.settled(3, Some(&writer.stop().await)).await
}

/// Of the two that remain after the first, the second is half: with policy `safe` the survivor continues from its own data.
#[tokio::test]
async fn two_of_three_killed_before_a_replacement_joined_are_recovered_from_the_survivor() -> anyhow::Result<()> {
    Group::of(3).await?.continues_from_the_survivor().await
}
