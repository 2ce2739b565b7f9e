//! This machine's Node.

use k8s_openapi::api::core::v1::Node;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use quorate_core::plan::Outcome;
use serde_json::json;

use super::{ApiServers, CORDONED, KubernetesError};

impl ApiServers {
    /// Whether the scheduler may bind pods to this Node; none if there is no such Node.
    ///
    /// # Errors
    /// No API server answered, or it refused.
    pub async fn is_schedulable(&self, node: &str) -> Result<Option<bool>, KubernetesError> {
        let found = self.node(node).await?;
        Ok(found.map(|node| !node.spec.and_then(|spec| spec.unschedulable).unwrap_or(false)))
    }

    pub(super) async fn node(&self, name: &str) -> Result<Option<Node>, KubernetesError> {
        self.read("read its Node", |client| async move { Api::<Node>::all(client).get_opt(name).await }).await
    }

    /// Makes the Node unschedulable, and marks that this agent did it. Somebody else's cordon gets no mark, even one at the same moment: the patch names the
    /// version that was read.
    pub async fn cordon(&self, node: &str) -> Outcome {
        let found = match self.node(node).await {
            Ok(Some(found)) => found,
            Ok(None) => return Outcome::Done,
            Err(error) => return error.outcome(),
        };
        if found.spec.and_then(|spec| spec.unschedulable).unwrap_or(false) {
            return Outcome::Done;
        }
        let metadata = json!({ "annotations": { CORDONED: "true" }, "resourceVersion": found.metadata.resource_version });
        self.patch("cordon its Node", node, &json!({ "metadata": metadata, "spec": { "unschedulable": true } })).await
    }

    /// Makes the Node schedulable again, if it has that mark. What somebody else cordoned stays cordoned.
    pub async fn uncordon(&self, node: &str) -> Outcome {
        match self.node(node).await {
            Ok(Some(found)) if found.metadata.annotations.as_ref().is_some_and(|marks| marks.contains_key(CORDONED)) => {
                let patch = json!({ "metadata": { "annotations": { CORDONED: null } }, "spec": { "unschedulable": null } });
                self.patch("uncordon its Node", node, &patch).await
            }
            Ok(_) => Outcome::Done,
            Err(error) => error.outcome(),
        }
    }

    pub(super) async fn patch(&self, operation: &'static str, node: &str, patch: &serde_json::Value) -> Outcome {
        let ask = |client: Client| async move { Api::<Node>::all(client).patch(node, &PatchParams::default(), &Patch::Merge(patch)).await };
        self.write(operation, ask).await
    }

    /// Deletes the Node, if it still is the one with this uid. A Node that does not exist counts as deleted.
    pub async fn delete_node(&self, node: &str, uid: &str) -> Outcome {
        let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        let how = DeleteParams { preconditions, ..DeleteParams::default() };
        let how = &how;
        let ask = |client: Client| async move {
            match Api::<Node>::all(client).delete(node, how).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                result => result.map(drop),
            }
        };
        self.write("delete its Node", ask).await
    }
}
