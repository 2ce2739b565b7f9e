//! Quorum lost for good where policy does nothing on its own: what `quorate recover` shows, refuses and does.

use quorate_core::ids::InstanceId;
use quorate_lab::lab::{Lab, LabOptions};

use super::group::{CLUSTER, Group, LIMIT, LONG_HOOK};
use super::total_loss::{kept, numbered, put, save};

/// Three with a snapshot after 50 keys and 30 more after it, all applied everywhere; then two die at once. Returns the one that is left.
async fn two_of_three_die() -> anyhow::Result<(Group, InstanceId)> {
    // The dead are not released before there is a leader again.
    let group = Group::launched_with(Lab::start(LabOptions::quick()?).await?, 3, LONG_HOOK)?;
    group.settled(3, None).await?;
    put(&group, 0..50).await?;
    save(&group).await?;
    put(&group, 50..80).await?;
    // Read through each of them, so the survivor has applied it, whichever it is.
    assert_eq!(kept(&group).await?, numbered(0..80));
    let [first, second, survivor]: [InstanceId; 3] = group.live().try_into().map_err(|live| anyhow::anyhow!("not three live: {live:?}"))?;
    for dead in [&first, &second] {
        group.lab.hard_kill(dead);
    }
    Ok((group, survivor))
}

fn origin(group: &Group) -> anyhow::Result<String> {
    let records = group.lab.charter(CLUSTER)?;
    let last = records.iter().rfind(|record| record["state"]["is"] == "established");
    Ok(last.and_then(|record| record["origin"]["from"].as_str()).unwrap_or_default().to_owned())
}

#[tokio::test]
async fn one_of_three_gives_its_data_up_for_a_snapshot_when_an_operator_says_so() -> anyhow::Result<()> {
    let (group, survivor) = two_of_three_die().await?;
    group.until_halted().await?;
    group.lab.until_recoverable(&survivor, "--snapshot", LIMIT).await?;
    let unknown = group.lab.type_in(&survivor, "recover", &["--snapshot", "snapshots/none", "--cluster", CLUSTER]).await?;
    assert!(!unknown.succeeded && unknown.out.contains("the store holds no snapshot snapshots/none"), "{unknown:?}");
    group.lab.quorate(&survivor, &["recover", "--snapshot", "newest", "--cluster", CLUSTER]).await?;
    group.settled(3, None).await?;
    let kept = kept(&group).await?;
    assert!(kept == numbered(0..50) || kept == numbered(0..80), "a snapshot's keys: {}", kept.len());
    assert_eq!((group.generation()?, origin(&group)?.as_str()), (2, "snapshot"));
    Ok(())
}

#[tokio::test]
async fn nothing_is_recovered_beside_a_living_quorum() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let instance = &group.live()[0];
    for way in [&["--survivor"][..], &["--snapshot", "newest"], &["--fresh"]] {
        let refused = group.lab.type_in(instance, "recover", &[way, &["--cluster", CLUSTER]].concat()).await?;
        assert!(!refused.succeeded && refused.out.contains("refused: a quorum is alive"), "{refused:?}");
    }
    let shown = group.lab.type_in(instance, "recover", &[]).await?;
    assert!(shown.succeeded && shown.out.contains("a quorum is alive: there is nothing to recover"), "{shown:?}");
    group.settled(3, None).await?;
    assert_eq!(group.generation()?, 1);
    Ok(())
}
