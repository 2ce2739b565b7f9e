//! Lists, page by page.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::resource::{Key, Resource};
use super::selector::Selector;
use super::status::Status;

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
}

impl Cluster {
    /// One page. The pages of one list show the objects as they were when its first was asked for.
    pub(super) fn list(&mut self, scope: &Scope, limit: Option<usize>, token: &str) -> Result<Value, Status> {
        self.refresh_budgets();
        let (version, from) = if token.is_empty() { (self.store.version(), None) } else { self.parse_token(scope, token)? };
        let mut found = self
            .store
            .at(version)
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
}
