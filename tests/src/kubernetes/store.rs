//! The objects, their versions, and what changed: what etcd is to the real server.

use std::collections::BTreeMap;

use serde_json::Value;

use super::resource::Key;

/// One change.
#[derive(Debug)]
struct Change {
    /// The version that it made.
    version: u64,
    /// Which object.
    key: Key,
    /// As it was before; nothing if it was not there.
    before: Option<Value>,
}

/// All objects, and every change so far.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<Key, Value>,
    changes: Vec<Change>,
    version: u64,
}

impl Store {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.objects.iter()
    }

    /// Stores an object under a new version and returns it as stored.
    pub(super) fn put(&mut self, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let before = self.objects.insert(key.clone(), object.clone());
        self.record(key, before);
        object
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        let before = self.objects.remove(key)?;
        self.version += 1;
        self.record(key, Some(before.clone()));
        Some(before)
    }

    fn record(&mut self, key: &Key, before: Option<Value>) {
        self.changes.push(Change { version: self.version, key: key.clone(), before });
    }

    /// Makes everything as it was at a version, under new ones.
    pub(super) fn go_back(&mut self, version: u64) {
        let then = self.at(version);
        let later: Vec<Key> = self.objects.keys().filter(|key| !then.contains_key(key)).cloned().collect();
        later.iter().for_each(|key| drop(self.remove(key)));
        for (key, object) in then {
            if self.objects.get(&key) != Some(&object) {
                self.put(&key, object);
            }
        }
    }

    /// Everything as it was at a version.
    pub(super) fn at(&self, version: u64) -> BTreeMap<Key, Value> {
        let mut objects = self.objects.clone();
        for change in self.changes.iter().rev().take_while(|change| change.version > version) {
            match &change.before {
                Some(before) => objects.insert(change.key.clone(), before.clone()),
                None => objects.remove(&change.key),
            };
        }
        objects
    }
}
