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
            "application/merge-patch+json" => merge(&mut new, patch),
            "application/strategic-merge-patch+json" => strategic(&mut new, patch),
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

fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    let target = as_map(target);
    for (key, value) in fields {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
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

/// As the types of Node and Pod say (`patchMergeKey` in k8s.io/api `core/v1/types.go`): a list without one, such as a Node's taints, is replaced whole.
fn merge_key(field: &str) -> Option<&'static str> {
    match field {
        "conditions" | "addresses" => Some("type"),
        "ownerReferences" => Some("uid"),
        "containers" | "initContainers" | "volumes" => Some("name"),
        _ => None,
    }
}

fn strategic(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if fields.get("$patch").is_some_and(|directive| directive == "replace") {
        *target =
            Value::Object(fields.iter().filter(|(key, _)| *key != "$patch").map(|(key, value)| (key.clone(), value.clone())).collect());
        return;
    }
    let target = as_map(target);
    for (key, value) in fields {
        strategic_field(target, key, value);
    }
}

fn strategic_field(target: &mut Map<String, Value>, key: &str, value: &Value) {
    if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
        let unwanted = value.as_array().cloned().unwrap_or_default();
        if let Some(kept) = target.get_mut(list).and_then(Value::as_array_mut) {
            kept.retain(|item| !unwanted.contains(item));
        }
        return;
    }
    // The order of a list's elements is not kept here.
    if key.starts_with("$setElementOrder/") || key == "$patch" {
        return;
    }
    match (value, merge_key(key)) {
        (Value::Null, _) => drop(target.remove(key)),
        (Value::Array(items), Some(by)) => merge_list(target.entry(key).or_insert(Value::Array(Vec::new())), items, by),
        (Value::Array(items), None) if key == "finalizers" => merge_set(target.entry(key).or_insert(Value::Array(Vec::new())), items),
        _ => strategic(target.entry(key).or_insert(Value::Null), value),
    }
}

fn merge_list(list: &mut Value, items: &[Value], by: &str) {
    let Some(list) = list.as_array_mut() else { return };
    for item in items {
        let found = list.iter().position(|old| old.get(by) == item.get(by));
        match (found, item.get("$patch").and_then(Value::as_str)) {
            (Some(at), Some("delete")) => drop(list.remove(at)),
            (None, Some("delete")) => {}
            (Some(at), _) => strategic(&mut list[at], item),
            (None, _) => list.push(item.clone()),
        }
    }
}

fn merge_set(list: &mut Value, items: &[Value]) {
    let Some(list) = list.as_array_mut() else { return };
    list.extend(items.iter().filter(|item| !list.contains(item)).cloned().collect::<Vec<_>>());
}
