//! The IAM policies in `packaging/aws/iam` against what agents call in a cluster's life: all of that is allowed, and nothing else.

use std::collections::BTreeSet;

use super::group::{Group, HOOK};
use anyhow::Context;
use quorate_lab::lab::{AgentSettings, Lab, LabOptions, Store, binaries};
use quorate_lab::region::{PoolState, WarmPool};
use quorate_lab::s3::Denial;
use serde_json::Value;

use crate::fixtures::{allowed, statements};

type Actions = BTreeSet<String>;

/// Actions that are allowed although no agent of this test calls them, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("ec2:DescribeApplicationStatus", "only quorate check asks"),
    ("ec2:DescribeApplicationStatusChecks", "only quorate check asks"),
    ("s3:AbortMultipartUpload", "only an upload that breaks off is aborted, and none does here"),
    ("s3:DeleteObject", "every snapshot is kept for longer than this test lives"),
];

/// What the policy's `${prefix}/${cluster}` stands for: the cluster's folder in the lab's bucket.
const HOME: &str = "clusters/test";

#[tokio::test]
async fn the_policies_allow_what_agents_ask_and_nothing_else() -> anyhow::Result<()> {
    let mut options = LabOptions { store: Store::S3, ..LabOptions::quick()? };
    // With an authority in the store, which no policy lets anybody overwrite.
    options.settings = options.settings.text("tls.mode", "managed");
    let lab = Lab::start(options).await?;
    for denial in denied("member.json")? {
        lab.s3()?.access().deny(denial);
    }
    let target_group = lab.operator(|api| api.create_target_group("clients", 2379));
    lab.change_settings(|settings| settings.raw("aws.target_groups", format!("[{:?}]", target_group.as_str())));
    // For no spare: a group that has a pool is asked what is in it.
    let group = Group::launched_as(lab, 3, HOOK, |spec| spec.warm_pool(WarmPool::of(PoolState::Stopped, 0)))?;
    live_through_everything(&group).await?;

    let used = group.lab.s3()?.log().permissions();
    let outside: Vec<_> = used.iter().filter(|(_, key)| !key.starts_with(&format!("{HOME}/"))).collect();
    assert!(outside.is_empty(), "asked outside of the cluster's folder, which the policy allows alone: {outside:?}");
    let asked: Actions = group.lab.asked().by_agents().into_iter().chain(used.iter().map(|(action, _)| (*action).to_owned())).collect();
    let (member, worker) = (allowed("member.json"), allowed("worker.json"));
    // Permissions that only some need are a policy of their own.
    let all: Actions = member.union(&allowed("target-group.json")).cloned().collect();
    assert_eq!(complaints(&all, &asked), Vec::<String>::new());
    // No worker is built, so none can be seen: its policy must not allow more than a member's.
    assert!(worker.is_subset(&member), "{:?}", worker.difference(&member));
    assert_every_difference_is_seen(&all, &asked);
    Ok(())
}

/// Founding, joining, leaving, dying, and asking to be replaced.
async fn live_through_everything(group: &Group) -> anyhow::Result<()> {
    group.settled(3, None).await?;
    let leaver = group.lab.leader(&group.name).await?;
    group.replace(&leaver)?;
    group.whole_without(&leaver, 3).await?;
    let dead = group.lab.followers(&group.name).await?.remove(0);
    group.lab.hard_kill(&dead);
    group.whole_without(&dead, 3).await?;
    asks_to_be_replaced(group).await
}

/// Its disk is replaced by an empty one, and its etcd can no longer be run: it can never join again.
async fn asks_to_be_replaced(group: &Group) -> anyhow::Result<()> {
    let sick = group.lab.followers(&group.name).await?.remove(0);
    let hasty = |settings: AgentSettings| settings.number("timing.join_deadline_s", 6).number("timing.learner_patience_s", 6);
    group.lab.change_settings(|settings| hasty(settings).text("etcd.binary", "/bin/false"));
    group.lab.wipe_disk(&sick).await?;
    let etcd = binaries::etcd(None)?;
    group.lab.change_settings(|settings| {
        settings.text("etcd.binary", etcd.display()).number("timing.join_deadline_s", 90).number("timing.learner_patience_s", 20)
    });
    group.whole_without(&sick, 3).await
}

/// What the policy denies of the lab's bucket: a record of the charter is created, and never written over.
fn denied(file: &str) -> anyhow::Result<Vec<Denial>> {
    let denials = statements(file, "Deny").into_iter().map(|statement| {
        let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("{file}: {statement}"));
        let resource = text(&statement["Resource"])?;
        let (_, key) = resource.split_once("${prefix}/${cluster}/").with_context(|| format!("{file}: {resource}"))?;
        let conditions = statement["Condition"]["Null"].as_object().with_context(|| format!("{file}: another condition than Null"))?;
        let (header, _) = conditions.iter().next().context("no condition key")?;
        let header = header.strip_prefix("s3:").with_context(|| format!("{file}: {header}"))?;
        Ok(Denial::new(&text(&statement["Action"])?, &format!("{HOME}/{}", key.trim_end_matches('*')), header))
    });
    let denials = denials.collect::<anyhow::Result<Vec<_>>>()?;
    anyhow::ensure!(denials.len() == 2, "{file} lets a record of the charter or the authority be overwritten");
    Ok(denials)
}

fn complaints(allowed: &Actions, asked: &Actions) -> Vec<String> {
    let explained = |action: &&String| EXPLAINED.iter().any(|(known, _)| known == action);
    let missing = asked.difference(allowed).map(|action| format!("{action} is asked and not allowed"));
    let idle = allowed.difference(asked).filter(|action| !explained(action));
    missing.chain(idle.map(|action| format!("{action} is allowed and never asked"))).collect()
}

/// The purpose of this test: a policy that lacks one of the actions used, or has one more, is noticed.
fn assert_every_difference_is_seen(policy: &Actions, asked: &Actions) {
    for action in policy.intersection(asked) {
        let lacking: Actions = policy.iter().filter(|other| *other != action).cloned().collect();
        assert_eq!(complaints(&lacking, asked), [format!("{action} is asked and not allowed")]);
    }
    let more: Actions = policy.iter().cloned().chain(["ec2:TerminateInstances".to_owned()]).collect();
    assert_eq!(complaints(&more, asked), ["ec2:TerminateInstances is allowed and never asked"]);
}
