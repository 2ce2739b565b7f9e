//! Field selectors: pairs of a field and its value. Labels select nothing here, because no agent asks by them.

use serde_json::Value;

use super::resource::Resource;
use super::status::Status;

/// What a list is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector(Vec<(String, String)>);

impl Selector {
    pub(super) fn parse(resource: Resource, fields: &str) -> Result<Self, Status> {
        let term = |term: &str| {
            let (field, value) = term.split_once('=').unwrap_or((term, ""));
            if is_supported(resource, field) {
                return Ok((field.to_owned(), value.trim_start_matches('=').to_owned()));
            }
            let (what, selector) = (format!("/v1, Resource={}", resource.plural()), format!("{field}="));
            Err(Status::bad_request(format!(
                "Unable to find {what:?} that match label selector \"\", field selector {selector:?}: field label not supported: {field}"
            )))
        };
        fields.split(',').filter(|text| !text.is_empty()).map(term).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let is = |field: &str| object.pointer(&format!("/{}", field.replace('.', "/"))).and_then(Value::as_str).unwrap_or_default();
        self.0.iter().all(|(field, value)| is(field) == value)
    }

    /// Exactly this node's pods, or fewer: what a kubelet may list.
    pub(super) fn is_of_node(&self, node: &str) -> bool {
        self.0.iter().any(|(field, value)| field == "spec.nodeName" && value == node)
    }

    /// The one name that is asked for.
    pub(super) fn name(&self) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == "metadata.name").map(|(_, name)| name.as_str())
    }
}

fn is_supported(resource: Resource, field: &str) -> bool {
    matches!((resource, field), (_, "metadata.name") | (Resource::Pods, "metadata.namespace" | "spec.nodeName" | "status.phase"))
}
