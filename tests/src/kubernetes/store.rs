//! The objects, their versions, and what changed: what etcd and the watch cache are to the real server.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::resource::Key;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was created.
    Added,
    /// It changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version that it made.
    pub version: u64,
    /// Which object.
    pub key: Key,
    /// As it was before; nothing if it was not there.
    pub before: Option<Value>,
    /// As it is since; nothing if it is gone.
    pub after: Option<Value>,
}

/// All objects, and the changes that a watch can still get.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<Key, Value>,
    changes: VecDeque<Change>,
    version: u64,
    /// Older versions can no longer be listed or watched from.
    oldest: u64,
}

impl Store {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn oldest(&self) -> u64 {
        self.oldest
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
        self.record(key, before, Some(object.clone()));
        object
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        let before = self.objects.remove(key)?;
        self.version += 1;
        self.record(key, Some(before.clone()), None);
        Some(before)
    }

    fn record(&mut self, key: &Key, before: Option<Value>, after: Option<Value>) {
        self.changes.push_back(Change { version: self.version, key: key.clone(), before, after });
    }

    /// Forgets the changes so far, as etcd's compaction does every five minutes.
    pub(super) fn compact(&mut self) {
        self.changes.clear();
        self.oldest = self.version;
    }

    /// The changes after a version; none if it is too old.
    pub(super) fn since(&self, version: u64) -> Option<impl Iterator<Item = &Change>> {
        let from = self.changes.partition_point(|change| change.version <= version);
        (version >= self.oldest).then(|| self.changes.range(from..))
    }

    /// Makes everything as it was at a version, under new ones; returns whether that version is still known.
    pub(super) fn go_back(&mut self, version: u64) -> bool {
        let Some(then) = self.at(version) else { return false };
        let later: Vec<Key> = self.objects.keys().filter(|key| !then.contains_key(key)).cloned().collect();
        later.iter().for_each(|key| drop(self.remove(key)));
        for (key, object) in then {
            if self.objects.get(&key) != Some(&object) {
                self.put(&key, object);
            }
        }
        true
    }

    /// Everything as it was at a version; nothing if that is too old.
    pub(super) fn at(&self, version: u64) -> Option<BTreeMap<Key, Value>> {
        let mut objects = self.objects.clone();
        let later: Vec<&Change> = self.since(version)?.collect();
        for change in later.into_iter().rev() {
            match &change.before {
                Some(before) => objects.insert(change.key.clone(), before.clone()),
                None => objects.remove(&change.key),
            };
        }
        Some(objects)
    }
}
