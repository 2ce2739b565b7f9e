//! Lists page by page, and watches.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::resource::{Key, Resource};
use super::selector::Selector;
use super::status::Status;
use super::store::{Change, Event};

const TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";

/// Which objects are asked for.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) resource: Resource,
    /// All namespaces if there is none.
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
}

impl Scope {
    fn covers(&self, key: &Key, object: &Value) -> bool {
        key.resource == self.resource
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
            && self.selector.matches(object)
    }

    /// The event that a watcher gets for a change: an object that no longer matches is gone for it.
    fn tells<'a>(&self, change: &'a Change) -> Option<(Event, &'a Value)> {
        let before = change.before.as_ref().filter(|object| self.covers(&change.key, object));
        let after = change.after.as_ref().filter(|object| self.covers(&change.key, object));
        match (before, after) {
            (None, None) => None,
            (None, Some(object)) => Some((Event::Added, object)),
            (Some(_), Some(object)) => Some((Event::Modified, object)),
            (Some(object), None) => Some((Event::Deleted, object)),
        }
    }
}

impl Cluster {
    /// One page. The pages of one list show the objects as they were when its first was asked for.
    pub(super) fn list(&mut self, scope: &Scope, limit: Option<usize>, token: &str) -> Result<Value, Status> {
        self.refresh_budgets();
        let (version, from) = if token.is_empty() { (self.store.version(), None) } else { self.parse_token(scope, token)? };
        let objects = self.store.at(version).ok_or_else(|| Status::expired(TOO_OLD))?;
        let mut found = objects
            .into_iter()
            .filter(|(key, object)| scope.covers(key, object) && from.as_ref().is_none_or(|from| key > from))
            .collect::<Vec<_>>();
        let more = limit.filter(|limit| *limit > 0 && found.len() > *limit);
        found.truncate(more.unwrap_or(usize::MAX));
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if let Some((last, _)) = found.last().filter(|_| more.is_some()) {
            metadata["continue"] = format!("v{version}/{}/{}", last.namespace, last.name).into();
        }
        let items: Vec<Value> = found.into_iter().map(|(_, object)| object).collect();
        Ok(json!({
            "kind": format!("{}List", scope.resource.kind()),
            "apiVersion": scope.resource.api_version(),
            "metadata": metadata,
            "items": items,
        }))
    }

    fn parse_token(&self, scope: &Scope, token: &str) -> Result<(u64, Option<Key>), Status> {
        let parse = || {
            let (version, rest) = token.strip_prefix('v')?.split_once('/')?;
            let (namespace, name) = rest.split_once('/')?;
            Some((version.parse().ok()?, Some(Key::new(scope.resource, namespace, name))))
        };
        parse().ok_or_else(|| Status::bad_request("continue key is not valid: illegal base64 data at input byte 0"))
    }

    /// What happened since a version, in events as they are sent, and the version that this reaches.
    ///
    /// # Errors
    /// `Expired` for a version that is too old.
    pub(super) fn watch(&self, scope: &Scope, since: u64) -> Result<(Vec<Value>, u64), Status> {
        let too_old = || Status::expired(format!("too old resource version: {since} ({})", self.store.oldest()));
        let told = self.store.since(since).ok_or_else(too_old)?.filter_map(|change| {
            let (event, object) = scope.tells(change)?;
            let mut object = object.clone();
            object["metadata"]["resourceVersion"] = change.version.to_string().into();
            Some(json!({ "type": event.word(), "object": object }))
        });
        Ok((told.collect(), self.store.version()))
    }

    /// The beginning of a watch without a version, or with version 0: what is there, as if it had just come.
    pub(super) fn watch_all(&self, scope: &Scope) -> (Vec<Value>, u64) {
        let there = self.store.iter().filter(|(key, object)| scope.covers(key, object));
        (there.map(|(_, object)| json!({ "type": "ADDED", "object": object })).collect(), self.store.version())
    }
}

impl Event {
    fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}
