//! One request: the verb, the object, and the answer.

use quorate_core::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::access::admit_node;
use super::cluster::Cluster;
use super::delete::DeleteOptions;
use super::identity::User;
use super::list::Scope;
use super::resource::{Key, Resource};
use super::selector::Selector;
use super::status::Status;

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The caller.
    pub user: &'a User,
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// The query, decoded.
    pub query: &'a [(String, String)],
    /// Of the body.
    pub content_type: &'a str,
    /// What was sent along.
    pub body: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    List,
    Create,
    Patch,
    Delete,
}

impl Verb {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// What a path and a query are about.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) scope: Scope,
    pub(super) name: Option<String>,
    pub(super) subresource: String,
}

impl Target {
    pub(super) fn key(&self) -> Option<Key> {
        let namespace = self.scope.namespace.as_deref().unwrap_or_default();
        self.name.as_deref().map(|name| Key::new(self.scope.resource, namespace, name))
    }
}

impl Request<'_> {
    fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(super) fn target(&self) -> Result<Target, Status> {
        let parts: Vec<&str> = self.path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, rest) = match parts.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, "v1", rest @ ..] => (*group, rest),
            _ => return Err(Status::no_such_path()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (plural, None, ""),
            [plural, name] => (plural, Some((*name).to_owned()), ""),
            [plural, name, subresource] => (plural, Some((*name).to_owned()), *subresource),
            _ => return Err(Status::no_such_path()),
        };
        let resource = Resource::named(group, plural).ok_or_else(Status::no_such_path)?;
        let selector = Selector::parse(resource, self.query("fieldSelector"), self.query("labelSelector"))?;
        Ok(Target { scope: Scope { resource, namespace, selector }, name, subresource: subresource.to_owned() })
    }

    pub(super) fn verb(&self, target: &Target) -> Result<Verb, Status> {
        if matches!(self.query("watch"), "1" | "true") {
            return Err(Status::new(405, "MethodNotAllowed", "watches are not modelled"));
        }
        match (self.method, target.name.is_some(), target.subresource.as_str()) {
            ("GET", true, "") => Ok(Verb::Get),
            ("GET", false, "") => Ok(Verb::List),
            ("POST", false, "") => Ok(Verb::Create),
            ("POST", true, "eviction") if target.scope.resource == Resource::Pods => Ok(Verb::Create),
            ("PATCH", true, "") => Ok(Verb::Patch),
            ("PATCH", true, "status") if target.scope.resource == Resource::Nodes => Ok(Verb::Patch),
            ("DELETE", true, "") => Ok(Verb::Delete),
            _ if !matches!(target.subresource.as_str(), "" | "eviction") => Err(Status::no_such_path()),
            _ => Err(Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")),
        }
    }

    fn body<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Status> {
        serde_json::from_slice(self.body)
            .map_err(|error| Status::bad_request(format!("couldn't get version/kind; json parse error: {error}")))
    }
}

impl DeleteOptions {
    pub(super) fn deserialize_from(value: &Value) -> Result<Self, Status> {
        Self::deserialize(value).map_err(|error| Status::bad_request(error.to_string()))
    }
}

impl Cluster {
    /// Answers a request with a status and an object: authorization, admission, then what was asked for.
    ///
    /// # Errors
    /// The refusal, as the real server words it.
    pub fn answer(&mut self, request: &Request<'_>, now: Timestamp) -> Result<(u16, Value), Status> {
        self.advance(now);
        let target = request.target()?;
        let verb = request.verb(&target)?;
        if let User::Node(node) = request.user {
            self.authorize(node, verb, &target)?;
        }
        let Some(key) = target.key() else { return self.answer_collection(request, verb, &target) };
        let object = match verb {
            Verb::Create => return self.answer_eviction(request, &key),
            Verb::Patch => self.answer_patch(request, &key, target.subresource == "status")?,
            Verb::Delete => self.answer_delete(request, &key)?,
            _ => {
                self.refresh_budgets();
                self.store.get(&key).cloned().ok_or_else(|| Status::not_found(&key))?
            }
        };
        Ok((200, object))
    }

    fn answer_collection(&mut self, request: &Request<'_>, verb: Verb, target: &Target) -> Result<(u16, Value), Status> {
        match verb {
            Verb::Create => Ok((201, self.answer_create(request, target)?)),
            _ => Ok((200, self.list(&target.scope, request.query("limit").parse().ok(), request.query("continue"))?)),
        }
    }

    fn answer_create(&mut self, request: &Request<'_>, target: &Target) -> Result<Value, Status> {
        let mut object: Value = request.body()?;
        if let User::Node(node) = request.user
            && (target.scope.resource, super::object::name(&object)) != (Resource::Nodes, node)
        {
            let why = format!("pod does not have \"kubernetes.io/config.mirror\" annotation, node {node:?} can only create mirror pods");
            return Err(Status::forbidden(target.scope.resource, super::object::name(&object), &why));
        }
        object["kind"] = target.scope.resource.kind().into();
        if let Some(namespace) = &target.scope.namespace {
            object["metadata"]["namespace"] = namespace.as_str().into();
        }
        self.insert(object)
    }

    fn answer_eviction(&mut self, request: &Request<'_>, key: &Key) -> Result<(u16, Value), Status> {
        let eviction: Value = request.body()?;
        if let User::Node(node) = request.user {
            self.admit_pod(node, key, "evict")?;
        }
        self.evict(key, &eviction).map(|status| (201, status))
    }

    fn answer_patch(&mut self, request: &Request<'_>, key: &Key, status: bool) -> Result<Value, Status> {
        let patch: Value = request.body()?;
        let mut new = self.patched(key, request.content_type, &patch)?;
        if status && let Some(old) = self.store.get(key) {
            // Nothing else in a patch of the subresource counts.
            new = Value::Object(
                old.as_object().cloned().unwrap_or_default().into_iter().chain([("status".to_owned(), new["status"].take())]).collect(),
            );
        }
        if let (User::Node(node), Some(old)) = (request.user, self.store.get(key)) {
            admit_node(node, old, &new)?;
        }
        if let (User::Node(node), true) = (request.user, status) {
            self.heartbeat(node);
        }
        Ok(self.update(key, new))
    }

    fn answer_delete(&mut self, request: &Request<'_>, key: &Key) -> Result<Value, Status> {
        let options: DeleteOptions = if request.body.is_empty() { DeleteOptions::default() } else { request.body()? };
        if let User::Node(node) = request.user {
            self.admit_pod(node, key, "delete")?;
        }
        self.delete(key, &options)
    }
}
