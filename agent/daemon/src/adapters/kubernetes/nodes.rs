//! Nodes, as the agent looks at its own and at others'.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, NodeCondition};
use kube::Api;
use kube::api::ListParams;
use quorate_core::observation::NodeView;
use quorate_core::plan::Outcome;
use quorate_core::time::Timestamp;
use serde_json::json;

use super::{ApiServers, CONTROL_PLANE, CORDONED, IS_VOTER, KubernetesError, REMOVE, REMOVED};

/// So many at a time, as kubectl does.
const PAGE: u32 = 500;

/// A Node in the list of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNode {
    /// Its name: the instance id of the node that made it.
    pub name: Arc<str>,
    /// Its uid.
    pub uid: Arc<str>,
    /// Its kubelet reports that it can run pods.
    pub ready: bool,
    /// Since when it is not ready, by the API server's clock; none while it is ready.
    pub not_ready_since: Option<Timestamp>,
    /// It is a server's.
    pub control_plane: bool,
}

impl ApiServers {
    /// The Node of this name; none if there is none.
    ///
    /// # Errors
    /// No API server answered, or it refused.
    pub async fn node_view(&self, name: &str) -> Result<Option<NodeView>, KubernetesError> {
        Ok(self.node(name).await?.and_then(view))
    }

    /// Asks the distribution to remove the etcd member of this Node's server. A Node that is not there has nobody to ask for: the refusal
    /// says so.
    pub async fn annotate_removal(&self, name: &str) -> Outcome {
        let patch = json!({ "metadata": { "annotations": { REMOVE: "true" } } });
        self.patch("ask for the removal of its etcd member", name, &patch).await
    }

    /// All Nodes. The pages of one list come from one server.
    ///
    /// # Errors
    /// No API server answered, or it refused.
    pub async fn node_names(&self) -> Result<Vec<ListedNode>, KubernetesError> {
        self.read("list the Nodes", async |client| {
            let (api, mut nodes, mut token) = (Api::<Node>::all(client), Vec::new(), None::<String>);
            loop {
                let page = api.list(&ListParams { continue_token: token.take(), ..ListParams::default().limit(PAGE) }).await?;
                nodes.extend(page.items.into_iter().filter_map(listed));
                token = page.metadata.continue_.filter(|token| !token.is_empty());
                if token.is_none() {
                    return Ok(nodes);
                }
            }
        })
        .await
    }
}

/// None for an answer without uid, which no API server gives.
fn view(node: Node) -> Option<NodeView> {
    let marked = |key| node.metadata.annotations.as_ref().is_some_and(|marks| marks.contains_key(key));
    let voter = condition(&node, IS_VOTER).and_then(|found| truth(&found.status));
    Some(NodeView {
        uid: Arc::from(node.metadata.uid.as_deref()?),
        ready: condition(&node, "Ready").is_some_and(is_true),
        schedulable: !node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
        cordoned_by_us: marked(CORDONED),
        is_voter: voter,
        removed: marked(REMOVED),
    })
}

fn listed(node: Node) -> Option<ListedNode> {
    let ready = condition(&node, "Ready");
    let is_ready = ready.is_some_and(is_true);
    // A Node whose kubelet never reported has been in the list since it was made.
    let changed = ready.and_then(|found| found.last_transition_time.as_ref()).or(node.metadata.creation_timestamp.as_ref());
    let since = changed.and_then(|at| u64::try_from(at.0.as_millisecond()).ok()).map(Timestamp);
    Some(ListedNode {
        name: Arc::from(node.metadata.name.as_deref()?),
        uid: Arc::from(node.metadata.uid.as_deref()?),
        ready: is_ready,
        not_ready_since: since.filter(|_| !is_ready),
        control_plane: node.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(CONTROL_PLANE)),
    })
}

fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

fn is_true(condition: &NodeCondition) -> bool {
    truth(&condition.status) == Some(true)
}

/// `Unknown` is neither.
fn truth(status: &str) -> Option<bool> {
    match status {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn node(metadata: Value, spec: Value, conditions: Value) -> Node {
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": { "conditions": conditions } })).unwrap()
    }

    fn condition(kind: &str, status: &str) -> Value {
        json!({ "type": kind, "status": status, "lastTransitionTime": "2026-08-20T10:00:00Z" })
    }

    #[test]
    fn a_node_says_what_became_of_it() {
        let marks = json!({ CORDONED: "true", REMOVED: "i-1-1a2b3c4d" });
        let cordoned = node(
            json!({ "name": "i-1", "uid": "u", "annotations": marks }),
            json!({ "unschedulable": true }),
            json!([condition("Ready", "True"), condition(IS_VOTER, "False")]),
        );
        let seen =
            NodeView { uid: "u".into(), ready: true, schedulable: false, cordoned_by_us: true, is_voter: Some(false), removed: true };
        assert_eq!(view(cordoned), Some(seen));
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        let bare = |conditions| view(node(json!({ "name": "i-1", "uid": "u" }), json!({}), conditions)).unwrap();
        let seen = NodeView { uid: "u".into(), ready: false, schedulable: true, cordoned_by_us: false, is_voter: None, removed: false };
        assert_eq!(bare(json!([])), seen);
        assert_eq!(bare(json!([condition("Ready", "Unknown"), condition(IS_VOTER, "Unknown")])), seen);
        assert_eq!(bare(json!([condition(IS_VOTER, "True")])).is_voter, Some(true));
    }

    #[test]
    fn a_list_tells_since_when_a_node_is_not_ready() {
        let in_list = |conditions| {
            let labels = json!({ CONTROL_PLANE: "true" });
            let metadata = json!({ "name": "i-1", "uid": "u", "creationTimestamp": "2026-08-20T09:00:00Z", "labels": labels });
            listed(node(metadata, json!({}), conditions)).unwrap()
        };
        assert_eq!(in_list(json!([condition("Ready", "Unknown")])).not_ready_since, Some(Timestamp(1_787_220_000_000)));
        assert_eq!(in_list(json!([])).not_ready_since, Some(Timestamp(1_787_216_400_000)));
        let ready = in_list(json!([condition("Ready", "True")]));
        assert!(ready.ready && ready.not_ready_since.is_none() && ready.control_plane);
    }
}
