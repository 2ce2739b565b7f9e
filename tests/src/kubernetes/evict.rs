//! The eviction subresource (kubernetes/kubernetes `pkg/registry/core/pod/storage/eviction.go`).

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::delete::DeleteOptions;
use super::object::{is_being_deleted, is_finished, is_ready, name, text};
use super::resource::Key;
use super::status::{Status, success};

const SEVERAL: &str = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

impl Cluster {
    /// Budgets are asked first, and preconditions only when the pod is then deleted: that is the real server's order.
    pub(super) fn evict(&mut self, pod: &Key, eviction: &Value) -> Result<Value, Status> {
        if name(eviction) != pod.name {
            return Err(Status::bad_request("name in URL does not match name in Eviction object"));
        }
        let options = match eviction.get("deleteOptions").filter(|options| !options.is_null()) {
            Some(options) => DeleteOptions::deserialize_from(options)?,
            None => DeleteOptions::default(),
        };
        let found = self.store.get(pod).ok_or_else(|| Status::not_found(pod))?;
        let exempt = is_finished(found) || text(found, "/status/phase") == "Pending" || is_being_deleted(found);
        if !exempt {
            let ready = is_ready(found);
            self.ask_budget(pod, ready)?;
        }
        self.delete(pod, &options)?;
        Ok(success())
    }

    fn ask_budget(&mut self, pod: &Key, ready: bool) -> Result<(), Status> {
        let budgets = self.budgets_of(pod);
        let budget = match budgets.as_slice() {
            [] => return Ok(()),
            [budget] => budget,
            _ => return Err(Status::new(500, "", SEVERAL)),
        };
        let number = |field: &str| budget["status"][field].as_i64().unwrap_or_default();
        let (healthy, desired) = (number("currentHealthy"), number("desiredHealthy"));
        if !ready && healthy >= desired && desired > 0 {
            return Ok(());
        }
        if number("disruptionsAllowed") > 0 { Ok(()) } else { Err(too_many(name(budget), desired, healthy)) }
    }
}

/// 0 seconds until the next try: no `Retry-After` is sent.
fn too_many(budget: &str, desired: i64, healthy: i64) -> Status {
    let message = format!("The disruption budget {budget} needs {desired} healthy pods and has {healthy} currently");
    let cause = json!({ "reason": "DisruptionBudget", "message": message });
    let status = Status::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.");
    Status { details: Some(json!({ "causes": [cause] })), ..status }
}
