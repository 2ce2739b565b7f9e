//! Refusals: `Status` objects in the API's own words (apimachinery `pkg/api/errors/errors.go`).

use serde_json::{Value, json};

use super::resource::{Key, Resource};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The HTTP status.
    pub code: u16,
    /// The machine-readable reason; empty where the API gives none.
    pub reason: &'static str,
    /// The sentence.
    pub message: String,
    /// What it concerns, and why.
    pub details: Option<Value>,
}

impl Status {
    /// A refusal that concerns no particular object.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    fn about(mut self, resource: Resource, name: &str) -> Self {
        self.details = Some(json!({ "group": resource.group(), "kind": resource.plural(), "name": name }));
        self
    }

    pub(super) fn not_found(key: &Key) -> Self {
        Self::new(404, "NotFound", format!("{} {:?} not found", key.resource, key.name)).about(key.resource, &key.name)
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    pub(super) fn already_exists(key: &Key) -> Self {
        Self::new(409, "AlreadyExists", format!("{} {:?} already exists", key.resource, key.name)).about(key.resource, &key.name)
    }

    pub(super) fn conflict(key: &Key, why: &str) -> Self {
        Self::conflict_on(&key.resource.to_string(), key, why)
    }

    /// `BeforeDelete` names the kind where everything else names the resource.
    pub(super) fn conflict_on(what: &str, key: &Key, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {what} {:?}: {why}", key.name);
        Self::new(409, "Conflict", message).about(key.resource, &key.name)
    }

    pub(super) fn forbidden(resource: Resource, name: &str, why: &str) -> Self {
        let named = if name.is_empty() { resource.to_string() } else { format!("{resource} {name:?}") };
        Self::new(403, "Forbidden", format!("{named} is forbidden: {why}")).about(resource, name)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(super) fn internal() -> Self {
        let why = "etcdserver: request timed out";
        let details = Some(json!({ "causes": [{ "message": why }] }));
        Self { details, ..Self::new(500, "InternalError", format!("Internal error occurred: {why}")) }
    }

    /// The object that is sent.
    #[must_use]
    pub fn object(&self) -> Value {
        let mut object = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message });
        object["code"] = self.code.into();
        if !self.reason.is_empty() {
            object["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            object["details"] = details.clone();
        }
        object
    }
}

/// The answer to an accepted eviction.
pub(super) fn success() -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 })
}
