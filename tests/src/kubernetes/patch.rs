//! Merge patches (RFC 7396) and strategic merge patches (apimachinery `pkg/util/strategicpatch`).

use serde_json::{Map, Value};

use super::cluster::Cluster;
use super::delete::uid_mismatch;
use super::object::{text, uid};
use super::resource::Key;
use super::status::Status;

const STALE: &str = "the object has been modified; please apply your changes to the latest version and try again";
const ACCEPTED: &str = "application/apply-patch+cbor, application/apply-patch+yaml, application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json";

impl Cluster {
    /// The object as the patch would have it.
    ///
    /// # Errors
    /// `Conflict` if the patch names another version or uid than the object has.
    pub(super) fn patched(&self, key: &Key, kind: &str, patch: &Value) -> Result<Value, Status> {
        let old = self.store.get(key).ok_or_else(|| Status::not_found(key))?;
        if differs(patch, "/metadata/uid", uid(old)) {
            return Err(Status::conflict(key, &uid_mismatch(text(patch, "/metadata/uid"), uid(old))));
        }
        if differs(patch, "/metadata/resourceVersion", text(old, "/metadata/resourceVersion")) {
            return Err(Status::conflict(key, STALE));
        }
        let mut new = old.clone();
        match kind {
            "application/merge-patch+json" => merge(&mut new, patch, false),
            "application/strategic-merge-patch+json" if patch.to_string().contains("\"$") => {
                return Err(Status::bad_request("the directives of a strategic merge patch are not modelled"));
            }
            "application/strategic-merge-patch+json" => merge(&mut new, patch, true),
            _ => {
                return Err(Status::new(
                    415,
                    "UnsupportedMediaType",
                    format!("the body of the request was in an unknown format - accepted media types include: {ACCEPTED}"),
                ));
            }
        }
        Ok(new)
    }

    /// Stores a changed object, unless nothing changed: then its version stays.
    pub(super) fn update(&mut self, key: &Key, new: Value) -> Value {
        if self.store.get(key) == Some(&new) {
            return new;
        }
        let new = self.store.put(key, new);
        self.finish_deletion(key);
        self.reconcile_soon();
        new
    }
}

fn differs(patch: &Value, pointer: &str, is: &str) -> bool {
    patch.pointer(pointer).and_then(Value::as_str).is_some_and(|wanted| wanted != is)
}

/// A strategic patch merges these lists by the type of their elements (`patchMergeKey` in k8s.io/api `core/v1/types.go`); any other, such as a Node's taints, is
/// replaced whole.
const BY_TYPE: [&str; 2] = ["conditions", "addresses"];

fn merge(target: &mut Value, patch: &Value, strategic: bool) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    let target = as_map(target);
    for (key, value) in fields {
        match value {
            Value::Null => drop(target.remove(key)),
            Value::Array(items) if strategic && BY_TYPE.contains(&key.as_str()) => {
                merge_list(target.entry(key).or_insert(Value::Array(Vec::new())), items);
            }
            _ => merge(target.entry(key).or_insert(Value::Null), value, strategic),
        }
    }
}

/// What is no object becomes an empty one.
fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object above"),
    }
}

fn merge_list(list: &mut Value, items: &[Value]) {
    let Some(list) = list.as_array_mut() else { return };
    for item in items {
        match list.iter_mut().find(|old| old["type"] == item["type"]) {
            Some(old) => merge(old, item, true),
            None => list.push(item.clone()),
        }
    }
}
