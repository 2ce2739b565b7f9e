//! What the agent reads of its own and of other Nodes.

use k8s_openapi::api::core::v1::{Node, NodeCondition};
use kube::Api;
use kube::api::ListParams;
use quorate_core::observation::{ListedNode, NodeView};
use quorate_core::plan::Outcome;
use serde_json::json;

use super::{ApiServers, CONTROL_PLANE, CORDONED, IS_VOTER, KubernetesError, REMOVE, REMOVED};

/// How many are listed at a time, as in kubectl.
const PAGE: u32 = 500;

impl ApiServers {
    /// The Node of this name; none if there is none.
    ///
    /// # Errors
    /// No API server answered, or it refused.
    pub async fn node_view(&self, name: &str) -> Result<Option<NodeView>, KubernetesError> {
        Ok(self.node(name).await?.and_then(view))
    }

    /// Asks the distribution to remove the etcd member of this Node's server. If there is no such Node, the call is refused and says so.
    pub async fn annotate_removal(&self, name: &str) -> Outcome {
        let patch = json!({ "metadata": { "annotations": { REMOVE: "true" } } });
        self.patch("ask for the removal of its etcd member", name, &patch).await
    }

    /// All Nodes. The pages of one list come from one server.
    ///
    /// # Errors
    /// No API server answered, or it refused.
    pub async fn list_nodes(&self) -> Result<Vec<ListedNode>, KubernetesError> {
        self.read("list the Nodes", |client| async move {
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

/// The Node; none for an answer without uid, which no API server gives.
fn view(node: Node) -> Option<NodeView> {
    let marked = |key| node.metadata.annotations.as_ref().is_some_and(|marks| marks.contains_key(key));
    let voter = condition(&node, IS_VOTER).and_then(|found| truth(&found.status));
    Some(NodeView {
        uid: node.metadata.uid.clone()?,
        ready: condition(&node, "Ready").is_some_and(is_true),
        schedulable: !node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
        cordoned_by_us: marked(CORDONED),
        is_voter: voter,
        removed: marked(REMOVED),
    })
}

fn listed(node: Node) -> Option<ListedNode> {
    let ready = condition(&node, "Ready").is_some_and(is_true);
    let control_plane = node.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(CONTROL_PLANE));
    Some(ListedNode { name: node.metadata.name?, uid: node.metadata.uid?, ready, control_plane })
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
    fn a_list_tells_servers_from_workers_and_who_is_ready() {
        let in_list = |labels: Value, conditions| {
            listed(node(json!({ "name": "i-1", "uid": "u", "labels": labels }), json!({}), conditions)).unwrap()
        };
        let server = in_list(json!({ CONTROL_PLANE: "true" }), json!([condition("Ready", "True")]));
        assert_eq!(server, ListedNode { name: "i-1".into(), uid: "u".into(), ready: true, control_plane: true });
        assert!(!in_list(json!({}), json!([condition("Ready", "Unknown")])).ready);
        assert!(!in_list(json!({}), json!([])).ready);
    }
}
