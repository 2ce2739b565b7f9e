//! The store's snapshots: their list, and the contents of each, from which a generation can begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_core::ids::SnapshotKey;
use quorate_core::snapshot::{SharedListing, Stored, Stray, StrayKind, data_key};
use quorate_core::time::Timestamp;

use super::etcd_model::Data;

/// The snapshots.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// Made again at each change, and shared by all readers until then.
    listing: SharedListing,
    data: BTreeMap<SnapshotKey, Arc<Data>>,
}

impl Snapshots {
    /// What a reader sees.
    pub(crate) fn listing(&self) -> &SharedListing {
        &self.listing
    }

    /// Nothing lies in the folder.
    pub(crate) fn is_empty(&self) -> bool {
        self.listing.snapshots.is_empty() && self.listing.strays.is_empty()
    }

    /// A member's data as it was when the snapshot was begun.
    pub(crate) fn data(&self, key: &SnapshotKey) -> Option<&Arc<Data>> {
        self.data.get(key)
    }

    /// What is in all of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Data>> {
        self.data.values()
    }

    /// The manifest is written: from now on the snapshot exists.
    pub(crate) fn put(&mut self, stored: Stored, data: Arc<Data>) {
        self.data.insert(stored.key.clone(), data);
        let listing = Arc::make_mut(&mut self.listing);
        listing.snapshots.push(stored);
        *listing = std::mem::take(listing).sorted();
    }

    /// A snapshot that is gone already counts as deleted.
    pub(crate) fn delete(&mut self, key: &SnapshotKey) {
        if self.data.remove(key).is_some() {
            Arc::make_mut(&mut self.listing).snapshots.retain(|s| s.key != *key);
        }
    }

    /// An upload broke off, and its data stays without a manifest.
    pub(crate) fn leave_remains(&mut self, key: &SnapshotKey, now: Timestamp) {
        let stray = Stray { at: data_key(key), stored_at: now, why: StrayKind::Unfinished };
        Arc::make_mut(&mut self.listing).strays.push(stray);
    }

    /// Deletes such data.
    pub(crate) fn delete_remains(&mut self, at: &str) {
        Arc::make_mut(&mut self.listing).strays.retain(|s| s.at != at);
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::{EtcdClusterId, Generation, MemberId};
    use quorate_core::snapshot::{Manifest, Trigger};

    use super::*;

    fn stored(revision: u64, at: Timestamp) -> (Stored, Arc<Data>) {
        let (generation, etcd_cluster) = (Generation(1), EtcdClusterId(7));
        let manifest = Manifest {
            version: Manifest::VERSION,
            account: "111122223333".into(),
            region: "eu-central-1".into(),
            cluster: "prod".into(),
            generation,
            etcd_cluster,
            record: 2,
            voters: Vec::new(),
            revision,
            size: 4096,
            sha256: String::new(),
            etcd_version: String::new(),
            taken_by: "i-a".into(),
            taken_at: at,
            trigger: Trigger::Interval,
        };
        let key = SnapshotKey::of(generation, revision, at, &"i-a".into());
        (Stored { key, manifest, stored_at: at }, Arc::new(Data::joining(etcd_cluster, MemberId(1), Arc::default())))
    }

    #[test]
    fn a_snapshot_is_listed_with_its_data_until_it_is_deleted() {
        let mut snapshots = Snapshots::default();
        let ((late, data), (early, _)) = (stored(5, Timestamp(1000)), stored(3, Timestamp(2000)));
        snapshots.put(late.clone(), Arc::clone(&data));
        let before = Arc::clone(snapshots.listing());
        snapshots.put(early.clone(), data);
        assert_eq!(before.snapshots, std::slice::from_ref(&late), "a reader of the list keeps what was in it");
        assert_eq!(snapshots.listing().snapshots, [early.clone(), late.clone()], "by revision");
        assert!(snapshots.data(&late.key).is_some());
        snapshots.delete(&late.key);
        snapshots.delete(&late.key);
        assert_eq!(snapshots.listing().snapshots, [early]);
        assert!(snapshots.data(&late.key).is_none());
    }

    #[test]
    fn what_broke_off_is_left_as_data_without_a_manifest() {
        let mut snapshots = Snapshots::default();
        assert!(snapshots.is_empty());
        let (broken_off, _) = stored(5, Timestamp(1000));
        snapshots.leave_remains(&broken_off.key, Timestamp(1500));
        assert!(snapshots.listing().snapshots.is_empty() && !snapshots.is_empty());
        let at = snapshots.listing().strays[0].at.clone();
        assert_eq!((at.as_str(), &snapshots.listing().strays[0].why), (data_key(&broken_off.key).as_str(), &StrayKind::Unfinished));
        snapshots.delete_remains(&at);
        assert!(snapshots.is_empty());
    }
}
