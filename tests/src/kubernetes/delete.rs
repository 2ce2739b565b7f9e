//! Deletion: preconditions, grace, finalizers (apiserver `pkg/registry/rest/delete.go`, `pkg/registry/core/pod/strategy.go`).

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::object::{has_finalizers, is_being_deleted, is_finished, node_of, uid, when};
use super::resource::{Key, Resource};
use super::status::Status;

/// `meta/v1` DeleteOptions. Fields that the server does not know are silently dropped, as it does by default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeleteOptions {
    pub(super) grace_period_seconds: Option<i64>,
    pub(super) preconditions: Option<Preconditions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Preconditions {
    pub(super) uid: Option<String>,
}

impl Cluster {
    pub(super) fn delete(&mut self, key: &Key, options: &DeleteOptions) -> Result<Value, Status> {
        let object = self.store.get(key).ok_or_else(|| Status::not_found(key))?.clone();
        self.check_preconditions(key, &object, options)?;
        if key.resource == Resource::Pods {
            return Ok(self.delete_pod(key, object, options));
        }
        let id = uid(&object).to_owned();
        if has_finalizers(&object) {
            return Ok(self.mark_deleted(key, object, 0));
        }
        self.remove(key);
        let details = json!({ "name": key.name, "group": key.resource.group(), "kind": key.resource.plural(), "uid": id });
        Ok(json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details }))
    }

    fn check_preconditions(&self, key: &Key, object: &Value, options: &DeleteOptions) -> Result<(), Status> {
        match options.preconditions.as_ref().and_then(|preconditions| preconditions.uid.as_ref()) {
            Some(wanted) if wanted != uid(object) => Err(self.other_uid(key, wanted, uid(object))),
            _ => Ok(()),
        }
    }

    fn other_uid(&self, key: &Key, wanted: &str, is: &str) -> Status {
        if self.late_preconditions {
            let path = format!("/registry/{}/{}/{}", key.resource.plural(), key.namespace, key.name);
            let failed = uid_mismatch(wanted, is);
            let why = format!("StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0, AdditionalErrorMsg: {failed}");
            return Status::conflict(key, &why);
        }
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({is}). The object might have been deleted and then recreated"
        );
        Status::conflict_on(key.resource.kind(), key, &why)
    }

    /// Gives the pod as it is then. A grace that was granted can only be shortened.
    fn delete_pod(&mut self, key: &Key, pod: Value, options: &DeleteOptions) -> Value {
        let granted = pod.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64);
        let asked = options.grace_period_seconds.map(|grace| if grace < 0 { 1 } else { grace });
        let grace = match granted.filter(|_| is_being_deleted(&pod)) {
            Some(granted) if granted > 0 && asked.is_none_or(|asked| asked >= granted) => return pod,
            Some(_) => asked.unwrap_or_default(),
            None if node_of(&pod).is_empty() || is_finished(&pod) => 0,
            None => asked.or_else(|| pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64)).unwrap_or_default(),
        };
        if grace == 0 && !has_finalizers(&pod) {
            self.remove(key);
            return pod;
        }
        let pod = self.mark_deleted(key, pod, grace);
        self.pod_stopping(key, &pod);
        pod
    }

    fn mark_deleted(&mut self, key: &Key, mut object: Value, grace: i64) -> Value {
        let deadline = self.now + Duration::from_secs(u64::try_from(grace).unwrap_or_default());
        object["metadata"]["deletionTimestamp"] = when(deadline).into();
        object["metadata"]["deletionGracePeriodSeconds"] = grace.into();
        self.reconcile_soon();
        self.store.put(key, object)
    }

    fn remove(&mut self, key: &Key) {
        self.store.remove(key);
        self.reconcile_soon();
    }

    /// An object marked for deletion is removed once its last finalizer is.
    pub(super) fn finish_deletion(&mut self, key: &Key) {
        let Some(object) = self.store.get(key) else { return };
        let over = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64) == Some(0);
        if is_being_deleted(object) && over && !has_finalizers(object) {
            self.remove(key);
        }
    }
}

pub(super) fn uid_mismatch(wanted: &str, is: &str) -> String {
    format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {is}")
}
