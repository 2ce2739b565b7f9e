//! Field and label selectors.

use serde_json::Value;

use super::object::label;
use super::resource::Resource;
use super::status::Status;

/// What a list or a watch is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    fields: Vec<Term>,
    labels: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    key: String,
    is: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Equal(String),
    Other(String),
    There,
    Absent,
}

impl Selector {
    pub(super) fn parse(resource: Resource, fields: &str, labels: &str) -> Result<Self, Status> {
        let fields = terms(fields);
        if let Some(term) = fields.iter().find(|term| !is_supported(resource, &term.key)) {
            let what = format!("/v1, Resource={}", resource.plural());
            let (selector, label) = (format!("{}=", term.key), &term.key);
            let message = format!(
                "Unable to find {what:?} that match label selector \"\", field selector {selector:?}: field label not supported: {label}"
            );
            return Err(Status::bad_request(message));
        }
        Ok(Self { fields, labels: terms(labels) })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.fields.iter().all(|term| term.holds(Some(&field(object, &term.key))))
            && self.labels.iter().all(|term| term.holds(label(object, &term.key)))
    }

    /// Exactly this node's pods, or fewer: what a kubelet may list.
    pub(super) fn is_of_node(&self, node: &str) -> bool {
        self.fields.iter().any(|term| term.key == "spec.nodeName" && term.is == Test::Equal(node.to_owned()))
    }

    /// The one name that is asked for.
    pub(super) fn name(&self) -> Option<&str> {
        self.fields.iter().find_map(|term| match &term.is {
            Test::Equal(name) if term.key == "metadata.name" => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Term {
    fn holds(&self, value: Option<&str>) -> bool {
        match &self.is {
            Test::Equal(wanted) => value == Some(wanted),
            Test::Other(unwanted) => value != Some(unwanted),
            Test::There => value.is_some(),
            Test::Absent => value.is_none(),
        }
    }
}

/// A flag that is not set is `false`, any other field the empty text.
fn field(object: &Value, key: &str) -> String {
    match object.pointer(&format!("/{}", key.replace('.', "/"))) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ if key == "spec.unschedulable" => "false".to_owned(),
        _ => String::new(),
    }
}

fn terms(selector: &str) -> Vec<Term> {
    let split = |term: &str, by: &str| term.split_once(by).map(|(key, value)| (key.to_owned(), value.trim_start_matches('=').to_owned()));
    let parse = |term: &str| {
        if let Some((key, value)) = split(term, "!=") {
            return Term { key, is: Test::Other(value) };
        }
        match (split(term, "="), term.strip_prefix('!')) {
            (Some((key, value)), _) => Term { key, is: Test::Equal(value) },
            (None, Some(key)) => Term { key: key.to_owned(), is: Test::Absent },
            (None, None) => Term { key: term.to_owned(), is: Test::There },
        }
    };
    selector.split(',').filter(|term| !term.is_empty()).map(parse).collect()
}

fn is_supported(resource: Resource, field: &str) -> bool {
    match (resource, field) {
        (_, "metadata.name") => true,
        (_, "metadata.namespace") => resource.is_namespaced(),
        (Resource::Pods, "spec.nodeName" | "status.phase" | "spec.restartPolicy" | "spec.schedulerName" | "status.podIP") => true,
        (Resource::Nodes, "spec.unschedulable") => true,
        _ => false,
    }
}
