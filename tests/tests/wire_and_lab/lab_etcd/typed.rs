//! What an operator types beside a running agent: exit status, words, and the effect on the cluster.

use anyhow::Context;
use quorate_core::ids::InstanceId;
use quorate_lab::lab::{Lab, LabOptions};
use rustix::process::Signal;

use super::group::{Group, HOOK, LIMIT};

/// Standard output of a command that has to succeed, and to say nothing on standard error.
async fn typed(group: &Group, instance: &InstanceId, what: &str, args: &[&str]) -> anyhow::Result<String> {
    let printed = group.lab.type_in(instance, what, args).await?;
    assert!(printed.succeeded && printed.err.is_empty(), "quorate {what}: {printed:?}");
    Ok(printed.out)
}

#[tokio::test]
async fn a_node_leaves_and_joins_again_as_it_is_told() -> anyhow::Result<()> {
    // A node that an operator orders out is not replaced.
    let group = Group::with(LabOptions::quick()?.set(|settings| settings.number("timing.replacement_patience_s", 2)), 3).await?;
    let node = group.lab.followers(&group.name).await?.remove(0);
    let before = group.lab.lists().await[&node].member;
    let writer = group.write()?;
    let plan = typed(&group, &node, "plan", &[]).await?;
    assert!(plan.starts_with("voter: ") && plan.contains("next step: none"), "{plan}");

    let message = typed(&group, &node, "leave", &[]).await?;
    assert_eq!(message, "leaves, and stays away until `quorate join`\n");
    let left = || async {
        // Just started, it does not answer yet.
        let plan = group.lab.type_in(&node, "plan", &[]).await.map_err(|error| error.to_string())?.out;
        let lists = group.lab.lists().await;
        let out = !lists.is_empty() && lists.values().all(|view| view.members.iter().all(|member| member.name != node.as_str()));
        if out && plan.starts_with("left: ") && group.lab.etcd_process(&node).is_none() { Ok(()) } else { Err(plan) }
    };
    group.lab.until(LIMIT, "the node to leave", left).await?;
    // An order is remembered over a restart of the agent.
    group.lab.kill_agent(&node, Signal::TERM).await?;
    let away = group.lab.type_in(&node, "plan", &[]).await?;
    assert!(!away.succeeded && away.out.is_empty() && away.err.contains("no agent answers on"), "{away:?}");
    group.lab.start_agent(&node).await?;
    group.lab.until(LIMIT, "the node to stay away", left).await?;

    let message = typed(&group, &node, "join", &[]).await?;
    assert_eq!(message, "joins, if it is not a member already\n");
    typed(&group, &node, "wait", &[]).await?;
    group.settled(3, Some(&writer.stop().await)).await?;
    assert_ne!(group.lab.lists().await[&node].member, before, "it came back as the member that it was");
    Ok(())
}

/// Without a store no node founds on its own.
#[tokio::test]
async fn a_cluster_without_a_store_is_founded_where_an_operator_says_so() -> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    let group = Group::launched_as(lab, 2, HOOK, |mut spec| {
        spec.tags.retain(|tag| &*tag.key != "quorate:store");
        spec
    })?;
    group.until_halted().await?;
    assert!(group.lab.lists().await.is_empty());
    let founder = group.live()[0].clone();
    let message = typed(&group, &founder, "bootstrap", &[]).await?;
    assert!(message.starts_with("founds the cluster here as soon as every other instance consents"), "{message}");
    group.settled(2, None).await?;
    let said = group.lab.log(&founder);
    assert!(said.contains("generation 1"), "{said}");
    Ok(())
}

/// By the settings in the file as the command reads it; the agent beside it still has those that it began with.
#[tokio::test]
async fn snapshots_are_pruned_when_it_is_typed_and_only_said_on_a_dry_run() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let node = group.live().remove(0);
    let writer = group.write()?;
    for _ in 0..2 {
        group.until_written(&writer, 5).await?;
        typed(&group, &node, "snapshot", &["save"]).await?;
    }
    writer.stop().await;
    let list = async || -> anyhow::Result<Vec<serde_json::Value>> {
        serde_json::from_str(&typed(&group, &node, "snapshot", &["list", "--json"]).await?).context("no JSON")
    };
    let before = list().await?;
    assert!(before.len() >= 2, "{before:#?}");
    let newest = before.last().context("none")?["key"].as_str().context("no key")?.to_owned();

    let file = group.lab.disk(&node).join("config.toml");
    let few = "\n[snapshot]\nkeep_all_hours = 0\nkeep_hourly_days = 0\nkeep_daily_weeks = 0\nkeep_at_least = 1\n";
    std::fs::write(&file, std::fs::read_to_string(&file)? + few)?;
    let message = typed(&group, &node, "snapshot", &["prune", "--dry-run"]).await?;
    assert_eq!(message.matches("would delete ").count(), before.len() - 1, "{message}");
    assert!(message.ends_with("1 snapshots are kept\n"), "{message}");
    assert_eq!(list().await?.len(), before.len(), "a dry run deleted something");

    let message = typed(&group, &node, "snapshot", &["prune"]).await?;
    assert_eq!(message.matches("deletes ").count(), before.len() - 1, "{message}");
    let kept = list().await?;
    assert!(kept.len() == 1 && kept[0]["key"] == *newest, "{kept:#?}");
    typed(&group, &node, "snapshot", &["verify"]).await?;
    group.settled(1, None).await
}
