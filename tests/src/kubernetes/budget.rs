//! The arithmetic of disruption budgets (kubernetes/kubernetes `pkg/controller/disruption/disruption.go`). The real controller follows the pods with a
//! delay; here a budget is right whenever it is read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::object::{controller, is_being_deleted, is_finished, is_ready, label, text};
use super::resource::{Key, Resource};

impl Cluster {
    pub(super) fn refresh_budgets(&mut self) {
        let keys: Vec<Key> =
            self.store.iter().map(|(key, _)| key).filter(|key| key.resource == Resource::PodDisruptionBudgets).cloned().collect();
        for key in keys {
            let Some(budget) = self.store.get(&key) else { continue };
            let status = self.budget_status(&key.namespace, budget);
            if budget.get("status") != Some(&status) {
                let mut budget = budget.clone();
                budget["status"] = status;
                self.store.put(&key, budget);
            }
        }
    }

    /// The budgets that match a pod, by name, with their present values.
    pub(super) fn budgets_of(&mut self, pod: &Key) -> Vec<Value> {
        self.refresh_budgets();
        let Some(object) = self.store.get(pod) else { return Vec::new() };
        let budgets = self.store.iter().filter(|(key, budget)| {
            key.resource == Resource::PodDisruptionBudgets && key.namespace == pod.namespace && selects(budget, object)
        });
        budgets.map(|(_, budget)| budget.clone()).collect()
    }

    fn budget_status(&self, namespace: &str, budget: &Value) -> Value {
        let pods: Vec<&Value> = self
            .store
            .iter()
            .filter(|(key, pod)| key.resource == Resource::Pods && key.namespace == namespace && selects(budget, pod))
            .map(|(_, pod)| pod)
            .filter(|pod| !is_finished(pod))
            .collect();
        let healthy = pods.iter().filter(|pod| is_ready(pod) && !is_being_deleted(pod)).count() as i64;
        let (expected, desired) = self.expected(namespace, budget, &pods);
        // A budget that matches no pods allows nothing: its pods may be about to come.
        let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
        json!({ "disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected })
    }

    /// Percentages are not modelled: such a budget allows nothing.
    fn expected(&self, namespace: &str, budget: &Value, pods: &[&Value]) -> (i64, i64) {
        let number = |field: &str| budget.pointer(field).and_then(Value::as_i64);
        match (number("/spec/maxUnavailable"), number("/spec/minAvailable")) {
            (Some(max), _) => {
                let scale = self.scale(namespace, pods);
                (scale, (scale - max).max(0))
            }
            (None, Some(min)) => (pods.len() as i64, min),
            (None, None) => (0, 0),
        }
    }

    /// The replicas that the pods' controllers want together. A pod without a controller counts for nothing.
    fn scale(&self, namespace: &str, pods: &[&Value]) -> i64 {
        let owner = |pod: &&Value| controller(pod).map(|owner| (text(owner, "/kind").to_owned(), text(owner, "/name").to_owned()));
        let owners: BTreeSet<(String, String)> = pods.iter().filter_map(owner).collect();
        let replicas = |(kind, name): &(String, String)| {
            let workload = self.store.get(&Key::new(Resource::of_kind(kind)?, namespace, name))?;
            workload.pointer("/spec/replicas")?.as_i64()
        };
        owners.iter().filter_map(replicas).sum()
    }
}

/// An empty selector matches nothing here.
pub(super) fn selects(budget: &Value, pod: &Value) -> bool {
    let labels = budget.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    labels.is_some_and(|labels| !labels.is_empty() && labels.iter().all(|(key, value)| label(pod, key) == value.as_str()))
}
