//! An instance is detached from its group, alive, and attached again. No hook runs for either.

use super::group::{Group, LIMIT};

#[tokio::test]
async fn a_detached_member_leaves_and_joins_again_once_it_is_attached() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let writer = group.write()?;
    let one = group.lab.followers(&group.name).await?.remove(0);
    let before = group.member_ids(3).await?[&one];
    group.lab.operator(|api| api.detach(&one, true)).map_err(|error| anyhow::anyhow!("{error}"))?;
    let left = || async {
        let status = group.lab.status(&one).await.map_err(|error| format!("{error:#}"))?;
        if status["phase"] == "left" { Ok(()) } else { Err(status["message"].to_string()) }
    };
    group.lab.until(LIMIT, "the detached instance to leave", left).await?;
    group.settled(2, None).await?;
    group.lab.operator(|api| api.attach(&group.name, &one)).map_err(|error| anyhow::anyhow!("{error}"))?;
    group.settled(3, Some(&writer.stop().await)).await?;
    assert_ne!(group.member_ids(3).await?[&one], before, "it joined as a new member");
    assert_eq!(group.generation()?, 1);
    Ok(())
}
