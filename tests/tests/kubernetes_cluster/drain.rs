//! Whole drains.

use std::time::Duration;

use quorate::adapters::kubernetes::ApiServers;
use quorate_core::drain::{Escalation, Verdict};
use quorate_lab::kubernetes::{PodSpec, Resource, budget, workload};
use serde_json::json;

use crate::drained::{self, End, is_being_deleted};
use crate::stage::{Stage, play};

/// Drains the first node.
async fn drain(stage: &Stage, adapter: &ApiServers, seconds: u64, escalation: Escalation) -> End {
    drained::drain(adapter, &stage.nodes[0], Duration::from_secs(seconds), escalation).await
}

/// Of the first node, quick to end.
fn brief(stage: &Stage, name: &str) -> PodSpec {
    PodSpec::new(&format!("{}-0", stage.app(name))).on(&stage.nodes[0]).grace(1).stops_after(Duration::from_millis(200))
}

#[tokio::test]
async fn what_must_go_goes_and_what_must_stay_stays() {
    play(async |stage: &Stage| {
        let [node, other] = &stage.nodes;
        stage.create(brief(stage, "lonely")).await;
        stage.create(brief(stage, "cache").local_data()).await;
        stage.create(brief(stage, "dns").critical()).await;
        if !stage.is_real {
            stage.create(brief(stage, "job").finished()).await;
            stage.create(brief(stage, "static").mirror()).await;
        }
        let (cni, web) = (stage.app("cni"), stage.app("web"));
        stage.create(workload(Resource::DaemonSets, &cni, 0, &PodSpec::new(&cni))).await;
        stage.create(workload(Resource::ReplicaSets, &web, 4, &PodSpec::new(&web).grace(1))).await;
        stage.create(budget(&stage.app("pdb"), &web, &json!({ "maxUnavailable": 1 }))).await;
        let is_web = |pod: &serde_json::Value| pod["metadata"]["name"].as_str().unwrap().starts_with(&web);
        let runs = |pod: &serde_json::Value| pod["status"]["phase"] == "Running";
        stage.until("the web runs", async || stage.pods(|pod| is_web(pod) && runs(pod)).await.len() == 4).await;
        stage.until("all are there", async || stage.names_on(node).await.iter().any(|name| name.starts_with(&cni))).await;
        let end = drain(stage, &stage.adapter().await, 60, Escalation::Delete).await;
        assert!(end.is_done(), "{:?}", end.said);
        let mut left = stage.names_on(node).await;
        left.retain(|name| stage.is_real || *name != format!("{}-0", stage.app("static")));
        assert!(left.len() == 1 && left[0].starts_with(&cni), "{left:?}");
        assert!(end.said.iter().any(|message| message.contains("cordons")), "{:?}", end.said);
        let whole = async || stage.pods(|pod| is_web(pod) && runs(pod) && pod["spec"]["nodeName"] == other.as_str()).await.len() == 4;
        if !stage.is_real {
            assert!(end.took < Duration::from_secs(10), "{:?} {:?}", end.took, end.said);
            let mirror = stage.pod(&format!("{}-0", stage.app("static"))).await.expect("the mirror stays");
            assert!(!is_being_deleted(&mirror), "{mirror}");
            stage.until("the web is whole again", whole).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_budget_that_never_allows_is_deleted_past_in_time() {
    never_allowed(Escalation::Delete, true).await;
}

#[tokio::test]
async fn a_budget_that_never_allows_is_given_up_at_the_end() {
    never_allowed(Escalation::GiveUp, false).await;
}

async fn never_allowed(escalation: Escalation, done: bool) {
    play(async |stage: &Stage| {
        let name = format!("{}-0", stage.app("db"));
        stage.create(PodSpec::new(&name).on(&stage.nodes[0]).grace(1)).await;
        let pdb = stage.app("pdb");
        stage.create(budget(&pdb, &stage.app("db"), &json!({ "minAvailable": 1 }))).await;
        stage.until_running(1).await;
        stage.until_counted(&pdb).await;
        let end = drain(stage, &stage.adapter().await, 6, escalation).await;
        assert_eq!(end.is_done(), done, "{:?}", end.said);
        assert!(end.took >= Duration::from_secs(2) && end.took < Duration::from_millis(6300), "{escalation:?} took {:?}", end.took);
        let told =
            |message: &String| message.contains(&format!("cannot evict default/{name} yet")) && message.contains("disruption budget");
        assert!(end.said.iter().any(told), "{:?}", end.said);
        assert_eq!(stage.names_on(&stage.nodes[0]).await.is_empty(), done);
    })
    .await;
}

#[tokio::test]
async fn two_budgets_for_one_pod_do_not_stop_the_others() {
    play(async |stage: &Stage| {
        stage.create(brief(stage, "db")).await;
        stage.create(brief(stage, "web")).await;
        for name in ["one", "two"] {
            let name = stage.app(name);
            stage.create(budget(&name, &stage.app("db"), &json!({ "minAvailable": 0 }))).await;
            stage.until_counted(&name).await;
        }
        stage.until_running(2).await;
        let end = drain(stage, &stage.adapter().await, 6, Escalation::Delete).await;
        assert!(end.is_done() && end.said.iter().any(|message| message.contains("more than one PodDisruptionBudget")), "{:?}", end.said);
    })
    .await;
}

#[tokio::test]
async fn a_finalizer_that_nobody_takes_away_does_not_hold_the_drain() {
    play(async |stage: &Stage| {
        stage.create(brief(stage, "job").finalizer("quorate.test/held")).await;
        if !stage.is_real {
            stage.create(brief(stage, "done").finished().finalizer("quorate.test/held")).await;
        }
        stage.until_running(1).await;
        let end = drain(stage, &stage.adapter().await, 30, Escalation::Delete).await;
        assert!(end.is_done(), "{:?} {:?}", end.took, end.said);
        let left = stage.pod(&format!("{}-0", stage.app("job"))).await.expect("the object stays");
        assert!(is_being_deleted(&left) && ["Succeeded", "Failed"].iter().any(|phase| left["status"]["phase"] == **phase), "{left}");
        if !stage.is_real {
            assert!(end.took < Duration::from_secs(3), "{:?} {:?}", end.took, end.said);
            let done = stage.pod(&format!("{}-0", stage.app("done"))).await.expect("the object stays");
            assert_eq!(done["status"]["phase"], "Succeeded");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stateful_sets_pods_are_not_chased_to_their_next_node() {
    play(async |stage: &Stage| {
        let set = stage.app("db");
        stage.create(workload(Resource::StatefulSets, &set, 3, &PodSpec::new(&set).grace(1))).await;
        let pdb = stage.app("pdb");
        stage.create(budget(&pdb, &set, &json!({ "maxUnavailable": 1 }))).await;
        stage.until_running(3).await;
        stage.until_counted(&pdb).await;
        assert!(stage.is_real || !stage.names_on(&stage.nodes[0]).await.is_empty(), "none is on the node");
        let end = drain(stage, &stage.adapter().await, 60, Escalation::GiveUp).await;
        assert!(end.is_done(), "{:?}", end.said);
        assert!(stage.names_on(&stage.nodes[0]).await.is_empty());
        stage.until_running(3).await;
        assert!(!stage.pods(|_| true).await.iter().any(is_being_deleted), "one was evicted where it runs now");
    })
    .await;
}

#[tokio::test]
async fn a_kubelets_credential_drains_its_own_node() {
    play(async |stage: &Stage| {
        stage.create(brief(stage, "web")).await;
        let other = format!("{}-0", stage.app("other"));
        stage.create(PodSpec::new(&other).on(&stage.nodes[1])).await;
        stage.until_running(2).await;
        let end = drain(stage, &stage.kubelet(&stage.nodes[0]).await, 30, Escalation::Delete).await;
        assert!(end.is_done(), "{:?}", end.said);
        assert!(stage.names_on(&stage.nodes[0]).await.is_empty() && !is_being_deleted(&stage.pod(&other).await.unwrap()));
    })
    .await;
}

#[tokio::test]
async fn another_nodes_credential_is_refused_by_name_and_ends_in_time() {
    play(async |stage: &Stage| {
        stage.create(brief(stage, "web")).await;
        stage.until_running(1).await;
        let end = drain(stage, &stage.kubelet(&stage.nodes[1]).await, 30, Escalation::Delete).await;
        let Verdict::GaveUp { message } = &end.verdict else { panic!("{:?}", end.verdict) };
        assert!(message.contains("403 Forbidden"), "{message}");
        assert!(!is_being_deleted(&stage.pod(&format!("{}-0", stage.app("web"))).await.unwrap()));
    })
    .await;
}
