//! Something is missing: the one thing is found, and nothing else is called a problem.

use quorate::check::Verdict;
use quorate_core::ids::{GroupName, HookName};
use quorate_lab::region::{Caller, GroupSpec, Transition};
use tempfile::TempDir;

use crate::wire_check::scene::{Scene, finding, group, hook, problems};

#[tokio::test]
async fn where_all_is_well_nothing_is_a_problem_and_nothing_changes() {
    let scene = Scene::good().await;
    let before = scene.state();
    let report = scene.check().await;
    assert_eq!((problems(&report), report.passes(false)), (vec![], true), "{report}");
    assert_eq!(scene.state(), before);
    let well = "instance metadata, IMDSv2, group, endpoint autoscaling, endpoint ec2, permission ec2:DescribeInstances, \
        permission autoscaling:RecordLifecycleActionHeartbeat, permission autoscaling:CompleteLifecycleAction, \
        permission autoscaling:SetInstanceHealth, tag quorate:cluster, tag quorate:role, tag quorate:store, tag propagation, \
        tag on this instance, hook quorate-launch, hook quorate-terminate, store, address, port 2378, port 2379, port 2380, \
        peers on port 2380, clock, etcd binary, etcd's flags, data directory";
    for name in well.split(", ") {
        assert_eq!(finding(&report, name).verdict, Verdict::Ok, "{name} in\n{report}");
    }
    let left: Vec<_> = std::fs::read_dir(scene.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["store"], "the check made something");
    assert!(std::fs::read_dir(scene.dir.path().join("store")).unwrap().next().is_none(), "the check wrote into the store");
}

#[tokio::test]
async fn each_missing_tag_is_named() {
    for (missing, expected) in [
        ("quorate:cluster", (vec!["tag quorate:cluster"], false)),
        ("quorate:role", (vec!["tag quorate:role"], false)),
        ("quorate:store", (vec![], true)),
    ] {
        let without = |dir: &TempDir| {
            let mut group: GroupSpec = group(dir);
            group.tags.retain(|tag| &*tag.key != missing);
            group
        };
        let report = Scene::of(without).await.check().await;
        assert_eq!((problems(&report), report.passes(false)), expected, "without {missing}\n{report}");
        assert!(!report.passes(true), "without {missing}\n{report}");
        assert!(finding(&report, &format!("tag {missing}")).found.contains("the group etcd has none"), "{report}");
    }
}

#[tokio::test]
async fn a_hook_that_is_missing_short_or_of_others_is_named() {
    let scene = Scene::of(|dir| {
        let mut group = group(dir);
        group.hooks = vec![hook("lambda-terminate", Transition::Terminating, 300), hook("quorate-launch", Transition::Launching, 8)];
        group
    })
    .await;
    let report = scene.check().await;
    assert_eq!(problems(&report), ["hook quorate-launch", "termination hook"], "{report}");
    assert!(finding(&report, "hooks of others").found.contains("lambda-terminate"), "{report}");
    let etcd = GroupName::new("etcd");
    scene.lab.server.region().with(|region, now| {
        let mut api = region.api(&Caller::Operator, now);
        api.put_hook(&etcd, hook("quorate-terminate", Transition::Terminating, 300)).unwrap();
        api.delete_hook(&etcd, &HookName::new("quorate-launch")).unwrap();
    });
    let report = scene.check().await;
    assert!(problems(&report).is_empty() && finding(&report, "launch hook").verdict == Verdict::Warning, "{report}");
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_named_with_its_owner() {
    let scene = Scene::good().await;
    let address = scene.subnet.instances().first;
    let _listener = tokio::net::TcpListener::bind((address, 2380)).await.unwrap();
    let report = scene.check().await;
    assert_eq!(problems(&report), ["port 2380"], "{report}");
    assert!(finding(&report, "port 2380").found.contains(&format!("process {}", std::process::id())), "{report}");
}

#[tokio::test]
async fn an_instance_that_the_group_takes_for_unhealthy_is_not_called_healthy() {
    let scene = Scene::good().await;
    scene.lab.server.region().with(|region, now| {
        let suspended = [quorate_lab::region::Process::ReplaceUnhealthy];
        region.api(&Caller::Operator, now).suspend_processes(&GroupName::new("etcd"), &suspended).unwrap();
        region.api(&Caller::Operator, now).set_instance_health(&scene.lab.me, quorate_lab::region::Health::Unhealthy).unwrap();
    });
    let before = scene.state();
    let report = scene.check().await;
    assert_eq!(finding(&report, "permission autoscaling:SetInstanceHealth").verdict, Verdict::Skipped, "{report}");
    assert_eq!(scene.state(), before);
}

/// No agent is there that could say it; etcd's log is.
#[tokio::test]
async fn what_etcd_wrote_when_it_ended_is_quoted_until_it_starts_again() {
    let scene = Scene::good().await;
    let log = scene.dir.path().join("state/etcd.log");
    std::fs::create_dir(log.parent().unwrap()).unwrap();
    let begins = r#"{"level":"info","msg":"Running: ","args":["etcd"]}"#;
    let ended = r#"{"level":"fatal","msg":"discovery failed","error":"couldn't find local name \"i-1\" in the initial cluster"}"#;
    std::fs::write(&log, format!("{begins}\n{ended}\n")).unwrap();
    let report = scene.check().await;
    let found = finding(&report, "why etcd ended");
    assert_eq!(found.found, "discovery failed: couldn't find local name \"i-1\" in the initial cluster", "{report}");
    assert!(found.verdict == Verdict::Problem && found.remedy.as_deref().unwrap().contains("state/etcd.log"), "{report}");
    std::fs::write(&log, format!("{begins}\n{ended}\n{begins}\n")).unwrap();
    let report = scene.check().await;
    assert!(!report.findings.iter().any(|finding| finding.name == "why etcd ended"), "{report}");
}
