//! Ending pods. kube's own `evict` writes `delete_options` where the API reads `deleteOptions` (kube-core 5.0 `subresource.rs`): grace and preconditions would
//! be dropped. The body is therefore written here.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client};
use quorate_core::drain::Ending;
use quorate_core::plan::Outcome;
use serde_json::{Value, json};

use super::ApiServers;

/// What a failed uid precondition says: the check beforehand (apiserver `registry/rest/delete.go`), and the store's (`storage/interfaces.go`).
const OTHER_UID: [&str; 2] = ["the UID in the precondition", "UID in precondition"];

impl ApiServers {
    /// Asks for an eviction (`policy/v1`); the pod's disruption budget may refuse it. A pod that no longer exists, or whose name another has taken, counts as
    /// done.
    pub async fn evict(&self, ending: &Ending) -> Outcome {
        let ask = |client: Client| async move {
            let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", ending.pod.namespace, ending.pod.name);
            let request = http::Request::post(path).header("content-type", "application/json").body(body(ending).to_string().into_bytes());
            over(client.request::<Value>(request.map_err(kube::Error::HttpError)?).await.map(drop))
        };
        self.write("evict a pod", ask).await
    }

    /// Deletes a pod past its disruption budget.
    pub async fn delete_pod(&self, ending: &Ending) -> Outcome {
        let preconditions = Some(Preconditions { uid: Some(ending.pod.uid.to_string()), resource_version: None });
        let how = DeleteParams { grace_period_seconds: ending.grace.map(whole_seconds), preconditions, ..DeleteParams::default() };
        let how = &how;
        let ask = |client: Client| async move {
            over(Api::<Pod>::namespaced(client, &ending.pod.namespace).delete(&ending.pod.name, how).await.map(drop))
        };
        self.write("delete a pod", ask).await
    }
}

fn body(ending: &Ending) -> Value {
    let mut options = json!({ "preconditions": { "uid": &*ending.pod.uid } });
    if let Some(grace) = ending.grace {
        options["gracePeriodSeconds"] = whole_seconds(grace).into();
    }
    json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "namespace": &*ending.pod.namespace, "name": &*ending.pod.name },
        "deleteOptions": options,
    })
}

/// Rounded down, but never to 0, which kills without any grace.
fn whole_seconds(grace: Duration) -> u32 {
    u32::try_from(grace.as_secs()).unwrap_or(u32::MAX).max(1)
}

/// Turns errors that mean that the pod is gone into success. 404: it is gone. 409 for the uid: its name is another's. Any other conflict is retried, such as
/// one for the version that the server itself sets as a precondition for a pending pod (`eviction.go`): that pod still exists.
fn over(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 && OTHER_UID.iter().any(|words| status.message.contains(words)) => Ok(()),
        result => result,
    }
}
