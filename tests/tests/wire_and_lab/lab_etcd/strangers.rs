//! A client that may write to etcd lists a member that belongs to no instance.

use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use quorate_lab::lab::etcd;
use serde_json::Value;

use super::group::{CLUSTER, Group, LIMIT, says};

/// A peer's address that etcd accepts, and that no file, shell or agent must see.
const ODD: &str = "http://db's;$HOME:2380";

/// It votes, so it counts. No agent dials it or writes it down; the operator gets a message, and its remedy works.
#[tokio::test]
async fn a_stranger_is_told_of_and_written_nowhere() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let first = group.live()[0].clone();
    let mut client = etcd::client(group.lab.address(&first)?, Duration::from_secs(5)).await?;
    // etcd refuses it while its voters have not been connected for five seconds.
    let add = || async { client.clone().member_add([ODD], None).await.map_err(|error| error.to_string()) };
    let added = group.lab.until(LIMIT, "etcd to add the stranger", add).await?;
    let id = added.member().context("etcd names no member")?.id();

    for instance in group.live() {
        let words = format!("member stranger {ODD} ({id:x}) belongs to no instance of this cluster");
        let told = |status: &Value| says(status, &words) && status["needs_operator"] == true;
        let status = group.until(&instance, "the agent to tell of the stranger", told).await?;
        let line = status["members"].as_array().into_iter().flatten().find(|line| line["member"] == format!("{id:x}"));
        let line = line.with_context(|| format!("status leaves it out: {status:#}"))?;
        assert!(line["kind"] == "voter" && line["health"] == "no_answer", "{line:#}");
        let written = written(&group, &instance)?;
        assert!(!written.contains("db's") && written.matches("http://127.").count() == 6, "{written}");
    }
    // A joiner would have to give its etcd that address.
    group.resize(4)?;
    group.until_any("the new instance to wait", |status| says(status, "waits until member stranger")).await?;
    client.member_remove(id).await?;
    group.settled(4, None).await
}

fn written(group: &Group, instance: &InstanceId) -> anyhow::Result<String> {
    let published = group.lab.store(CLUSTER).join(CLUSTER).join("published/endpoints.json");
    let published = std::fs::read_to_string(published).unwrap_or_default();
    assert!(!published.contains("db's"), "{published}");
    Ok(std::fs::read_to_string(group.lab.disk(instance).join("run/endpoints.env"))?)
}
