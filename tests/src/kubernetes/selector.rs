//! Selectors of lists, as far as a drain needs them: the pods of one node.

use serde_json::Value;

use super::object::node_of;
use super::resource::Resource;
use super::status::Status;

/// The node whose pods are asked for, if it is one node's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector(Option<String>);

impl Selector {
    /// # Errors
    /// `BadRequest` for anything else, which is not modelled.
    pub(super) fn parse(resource: Resource, fields: &str, labels: &str) -> Result<Self, Status> {
        match (resource, fields.strip_prefix("spec.nodeName="), labels) {
            (_, None, "") if fields.is_empty() => Ok(Self(None)),
            (Resource::Pods, Some(node), "") => Ok(Self(Some(node.to_owned()))),
            _ => Err(Status::bad_request(format!("field selector {fields:?}, label selector {labels:?}: not modelled"))),
        }
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.0.as_deref().is_none_or(|node| node_of(object) == node)
    }

    /// Exactly this node's pods: what a kubelet may list.
    pub(super) fn is_of_node(&self, node: &str) -> bool {
        self.0.as_deref() == Some(node)
    }
}
