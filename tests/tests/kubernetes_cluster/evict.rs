//! Evictions and deletions of single pods.

use quorate::clock::Clock;
use quorate_core::drain::Owner;
use quorate_core::plan::Outcome;
use quorate_lab::kubernetes::{PodSpec, Resource, budget, workload};
use serde_json::json;

use crate::drained::{ending, is_being_deleted, refused};
use crate::stage::{Stage, play};

/// A uid that no pod ever had.
const OTHER: &str = "00000000-0000-4000-8000-000000000000";

/// A pod that runs on the first node, with the label `app` that `web` gives.
async fn runs(stage: &Stage, grace: u64) -> String {
    let name = format!("{}-0", stage.app("web"));
    stage.create(PodSpec::new(&name).on(&stage.nodes[0]).grace(grace)).await;
    stage.until_running(1).await;
    name
}

async fn put_budget(stage: &Stage, name: &str, rule: serde_json::Value) {
    let name = stage.app(name);
    stage.create(budget(&name, &stage.app("web"), &rule)).await;
    stage.until_counted(&name).await;
}

#[tokio::test]
async fn a_budgets_refusal_is_told_in_the_servers_words_and_at_once() {
    play(async |stage: &Stage| {
        let name = runs(stage, 60).await;
        put_budget(stage, "pdb", json!({ "minAvailable": 1 })).await;
        let (adapter, end, clock) = (stage.adapter().await, stage.ending(&name, None).await, Clock::start());
        let before = clock.now();
        let why = refused(adapter.evict(&end).await);
        assert!(why.contains("429 TooManyRequests: Cannot evict pod as it would violate the pod's disruption budget."), "{why}");
        assert!(clock.now().since(before) < stage.patience(), "something was retried inside");
        put_budget(stage, "second", json!({ "minAvailable": 0 })).await;
        let Outcome::Unclear(why) = adapter.evict(&end).await else { panic!("two budgets are no refusal") };
        assert!(why.contains("This pod has more than one PodDisruptionBudget"), "{why}");
        assert!(!is_being_deleted(&stage.pod(&name).await.unwrap()));
    })
    .await;
}

#[tokio::test]
async fn a_deletion_goes_past_the_budget_but_not_past_the_uid() {
    play(async |stage: &Stage| {
        let name = runs(stage, 60).await;
        put_budget(stage, "pdb", json!({ "maxUnavailable": 0 })).await;
        let adapter = stage.adapter().await;
        assert_eq!(adapter.delete_pod(&ending(&name, OTHER, Some(2))).await, Outcome::Done, "that pod has gone");
        assert!(!is_being_deleted(&stage.pod(&name).await.unwrap()));
        assert_eq!(adapter.delete_pod(&stage.ending(&name, Some(2)).await).await, Outcome::Done);
        // One that is already gone was quick to end.
        let left = stage.pod(&name).await;
        assert!(left.is_none_or(|pod| pod["metadata"]["deletionGracePeriodSeconds"] == 2));
    })
    .await;
}

#[tokio::test]
async fn a_successor_of_the_same_name_is_never_touched() {
    play(async |stage: &Stage| {
        let set = stage.app("db");
        stage.create(workload(Resource::StatefulSets, &set, 1, &PodSpec::new(&set).grace(1))).await;
        stage.until_running(1).await;
        let (name, adapter) = (format!("{set}-0"), stage.adapter().await);
        assert_eq!(adapter.evict(&ending(&name, OTHER, None)).await, Outcome::Done);
        assert!(!is_being_deleted(&stage.pod(&name).await.unwrap()));
        let gone = stage.app("gone");
        assert_eq!(adapter.evict(&ending(&gone, OTHER, None)).await, Outcome::Done);
        assert_eq!(adapter.delete_pod(&ending(&gone, OTHER, None)).await, Outcome::Done);
    })
    .await;
}

#[tokio::test]
async fn a_kubelets_credential_ends_its_own_pods_only() {
    play(async |stage: &Stage| {
        let [node, other] = &stage.nodes;
        let app = stage.app("web");
        for (number, on) in [(0, node), (1, node), (2, other)] {
            stage.create(PodSpec::new(&format!("{app}-{number}")).on(on).grace(60)).await;
        }
        stage.until_running(3).await;
        let adapter = stage.kubelet(node).await;
        let own = adapter.pods_on(node).await.unwrap().iter().filter(|pod| pod.id.name.starts_with(&app)).count();
        assert_eq!(own, 2);
        assert_eq!(adapter.evict(&stage.ending(&format!("{app}-0"), None).await).await, Outcome::Done);
        assert_eq!(adapter.delete_pod(&stage.ending(&format!("{app}-1"), None).await).await, Outcome::Done);
        let why = refused(adapter.evict(&stage.ending(&format!("{app}-2"), None).await).await);
        assert!(why.contains("403 Forbidden"), "{why}");
        assert!(!is_being_deleted(&stage.pod(&format!("{app}-2")).await.unwrap()));
        let error = adapter.pods_on(other).await.unwrap_err().to_string();
        assert!(error.contains("403 Forbidden"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn pods_are_read_as_they_are() {
    play(async |stage: &Stage| {
        let node = &stage.nodes[0];
        let (lonely, cache) = (stage.app("lonely"), stage.app("cache"));
        stage.create(PodSpec::new(&lonely).on(node).critical()).await;
        stage.create(PodSpec::new(&cache).on(node).local_data().grace(90)).await;
        let set = stage.app("cni");
        stage.create(workload(Resource::DaemonSets, &set, 0, &PodSpec::new(&set))).await;
        stage.until("its pod is there", async || stage.names_on(node).await.len() == 3).await;
        let pods = stage.adapter().await.pods_on(node).await.unwrap();
        let named = |name: &str| pods.iter().find(|pod| pod.id.name.starts_with(name)).unwrap();
        assert!(named(&lonely).critical && named(&lonely).owner == Owner::Nobody && named(&lonely).is_to_end());
        assert!(named(&cache).local_data && named(&cache).grace.as_secs() == 90 && named(&cache).deleted_at.is_none());
        assert!(named(&set).owner == Owner::DaemonSet && !named(&set).is_to_end());
    })
    .await;
}
