//! Members of etcd that belong to no instance.

use quorate_lab::lab::{Lab, LabOptions};

use super::group::{Group, LIMIT};
use super::refusals::etcdctl;

/// etcd adds nobody before all its voters have been connected for five seconds.
async fn add_by_hand(group: &Group) -> anyhow::Result<()> {
    let add = || async {
        etcdctl(group, &["member", "add", "backup-box", "--peer-urls=http://127.99.99.99:2380"]).map_err(|error| error.to_string())
    };
    group.lab.until(LIMIT, "etcd to add a voter", add).await
}

/// It is said at once, by the status and by `quorate check`; nothing is removed without the operator's word.
#[tokio::test]
async fn a_voter_that_was_added_by_hand_is_reported() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    add_by_hand(&group).await?;
    let leader = group.lab.leader(&group.name).await?;
    group.until_says(&leader, "belongs to no instance of this cluster").await?;
    let (passed, report) = group.lab.check(&leader).await?;
    anyhow::ensure!(!passed && report.to_string().contains("belongs to no instance of this cluster"), "{report}");
    let lists = group.lab.lists().await;
    assert_eq!(lists.get(&leader).map(|view| view.members.len()), Some(4));
    Ok(())
}

/// With `policy.strangers = "remove"` it is removed once it has not started for the learner's patience, and a replacement can join.
#[tokio::test]
async fn a_voter_that_never_starts_is_removed_where_the_operator_wants_it() -> anyhow::Result<()> {
    let mut options = LabOptions::quick()?;
    options.settings = options.settings.text("policy.strangers", "remove").number("timing.learner_patience_s", 5);
    let group = Group::launched(Lab::start(options).await?, 3)?;
    group.settled(3, None).await?;
    add_by_hand(&group).await?;
    group.settled(3, None).await?;
    let victim = group.lab.followers(&group.name).await?.remove(0);
    group.lab.hard_kill(&victim);
    group.lab.until_gone(&victim, LIMIT).await?;
    group.settled(3, None).await
}
