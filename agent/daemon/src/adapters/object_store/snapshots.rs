//! Snapshots in the object store: `<prefix>/<cluster>/snapshots/<generation>/<revision>-<time>-<instance>` with `.db` for the data and `.json` for
//! the manifest, which is written last and deleted first.

mod upload;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use quorate_core::ids::SnapshotKey;
use quorate_core::observation::Me;
use quorate_core::snapshot::{FOLDER, Listing, Manifest, Stored, Stray, StrayKind, data_key, manifest_key};
use quorate_core::text::{SENTENCE, printable};
use quorate_core::time::Timestamp;

use super::StoreError;
use super::home::Home;
pub use upload::{Upload, part_size};

/// Longest time of one request: a part of 5 MiB takes that long at 90 kB a second.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// A manifest lists at most a few voters.
const MANIFEST_LIMIT: u64 = 64 << 10;
const AT_ONCE: usize = 8;
const MANIFEST: &str = "manifest of a snapshot";

/// Manifests read before, or why they do not count, each with its entry in the list at that time.
type Manifests = BTreeMap<SnapshotKey, (ObjectMeta, Result<Manifest, StrayKind>)>;

/// The snapshots of one cluster.
#[derive(Debug)]
pub struct SnapshotStore {
    home: Home,
    me: Me,
    /// Longest time of one look at the list.
    look: Duration,
    read: Mutex<Manifests>,
}

impl SnapshotStore {
    /// Opens the store at `url` for the cluster of `me`; `look` bounds each look at the list. See `CharterStore::open`.
    ///
    /// # Errors
    /// A URL that names no store, or settings that do not fit together.
    pub fn open(url: &str, settings: &BTreeMap<String, String>, me: &Me, look: Duration) -> Result<Self, StoreError> {
        Ok(Self { home: Home::open(url, settings, me, REQUEST_LIMIT)?, me: me.clone(), look, read: Mutex::default() })
    }

    /// What the store holds. If nothing has changed, this takes only one list call for each thousand objects.
    ///
    /// # Errors
    /// The store did not answer or refused. What was read until then is kept for the next call.
    pub async fn list(&self) -> Result<Listing, StoreError> {
        let result = tokio::time::timeout(self.look, self.look()).await;
        result.unwrap_or_else(|_| Err(StoreError::Timeout { url: self.home.url.clone(), limit: self.look }))
    }

    async fn look(&self) -> Result<Listing, StoreError> {
        self.home.check_mounted().await?;
        let folder = self.home.key(FOLDER);
        let listed = self.home.listed(&folder, self.home.place.store.list(Some(&folder))).await?;
        let (mut data, mut manifests, mut listing) = (BTreeMap::new(), BTreeMap::new(), Listing::default());
        for meta in listed {
            match self.part(&meta.location) {
                Some((key, Part::Data)) => drop(data.insert(key, meta)),
                Some((key, Part::Manifest)) => drop(manifests.insert(key, meta)),
                None => listing.strays.push(self.stray(&meta, StrayKind::Foreign("it is not named as a snapshot".into()))),
            }
        }
        let reads = futures::stream::iter(manifests).map(async |(key, meta)| Ok((self.manifest(&key, &meta).await?, key, meta)));
        let read: Vec<_> = reads.buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
        self.cache().retain(|key, _| read.iter().any(|(_, known, _)| known == key));
        for (manifest, key, meta) in read {
            match self.whole(manifest, data.remove(&key).as_ref()) {
                Ok(manifest) => listing.snapshots.push(Stored { key, manifest, stored_at: stored_at(&meta) }),
                Err(why) => listing.strays.push(self.stray(&meta, why)),
            }
        }
        listing.strays.extend(data.values().map(|meta| self.stray(meta, StrayKind::Unfinished)));
        Ok(listing.sorted())
    }

    /// Accepts a manifest only beside data of the size that it names.
    fn whole(&self, manifest: Result<Manifest, StrayKind>, data: Option<&ObjectMeta>) -> Result<Manifest, StrayKind> {
        let manifest = manifest?;
        match data {
            None => Err(StrayKind::Broken("its data is not there".into())),
            Some(meta) if meta.size != manifest.size => {
                Err(StrayKind::Broken(format!("its data has {} bytes, not {}", meta.size, manifest.size).into()))
            }
            Some(_) => Ok(manifest),
        }
    }

    async fn manifest(&self, key: &SnapshotKey, meta: &ObjectMeta) -> Result<Result<Manifest, StrayKind>, StoreError> {
        if let Some((_, manifest)) = self.cache().get(key).filter(|(seen, _)| seen == meta) {
            return Ok(manifest.clone());
        }
        let manifest = if meta.size > MANIFEST_LIMIT {
            Err(StrayKind::Foreign(format!("its manifest has {} bytes", meta.size).into()))
        } else {
            match self.home.read(&meta.location, MANIFEST_LIMIT, MANIFEST).await? {
                Some(bytes) => self.judge(&bytes),
                None => return Err(self.home.gone(&meta.location)),
            }
        };
        self.cache().insert(key.clone(), (meta.clone(), manifest.clone()));
        Ok(manifest)
    }

    /// Parses a manifest. A copied prefix may contain another cluster's snapshots: they are reported, and neither used nor deleted.
    fn judge(&self, bytes: &[u8]) -> Result<Manifest, StrayKind> {
        let foreign = |why: String| Err(StrayKind::Foreign(why.into()));
        let manifest: Manifest = match serde_json::from_slice(bytes) {
            Ok(manifest) => manifest,
            Err(error) => return foreign(format!("its manifest does not parse: {error}")),
        };
        if manifest.version != Manifest::VERSION {
            return foreign(format!("its manifest has format {}, and this version knows {}", manifest.version, Manifest::VERSION));
        }
        if !manifest.belongs_to(&self.me) {
            let Manifest { cluster, account, region, .. } = &manifest;
            return foreign(format!("it is of cluster {cluster} of account {account} in {region}"));
        }
        Ok(manifest)
    }

    /// Begins to write data under this key, in parts of `part_size` bytes.
    ///
    /// # Errors
    /// The store did not answer or refused.
    pub async fn upload(&self, key: &SnapshotKey, part_size: usize) -> Result<Upload<'_>, StoreError> {
        self.home.check_mounted().await?;
        Upload::begin(&self.home, self.home.key(&data_key(key)), part_size).await
    }

    /// Writes the manifest, which makes the snapshot exist: only once its data is complete.
    ///
    /// # Errors
    /// The store did not answer or refused, or the data is not complete.
    pub async fn finish(&self, key: &SnapshotKey, manifest: &Manifest) -> Result<(), StoreError> {
        let at = self.home.key(&data_key(key));
        let meta = self.home.place.store.head(&at).await.map_err(|e| self.home.failed("look at", &at, e))?;
        if meta.size != manifest.size {
            let why = format!("it has {} bytes of {}", meta.size, manifest.size);
            return Err(self.home.malformed(&at, "whole snapshot", why.into()));
        }
        let at = self.home.key(&manifest_key(key));
        let bytes = serde_json::to_vec_pretty(manifest).map_err(|e| self.home.malformed(&at, MANIFEST, e.into()))?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.home.place.store.put_opts(&at, PutPayload::from(bytes), options).await;
        put.map(drop).map_err(|e| self.home.failed("create", &at, e))
    }

    /// Some bytes of a snapshot's data; fewer if it ends before that.
    ///
    /// # Errors
    /// The store did not answer or refused.
    pub async fn pages(&self, key: &SnapshotKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let at = self.home.key(&data_key(key));
        self.home.place.store.get_range(&at, range).await.map_err(|e| self.home.failed("read", &at, e))
    }

    /// Some bytes of a snapshot's data.
    ///
    /// # Errors
    /// The store did not answer or refused, or gave fewer bytes than there should be.
    pub async fn read(&self, key: &SnapshotKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let bytes = self.pages(key, range.clone()).await?;
        let at = self.home.key(&data_key(key));
        if bytes.len() as u64 == range.end - range.start {
            return Ok(bytes);
        }
        let why = format!("bytes {} to {} were asked for, and {} came", range.start, range.end, bytes.len());
        Err(self.home.malformed(&at, "whole snapshot", why.into()))
    }

    /// Deletes a snapshot: first the manifest, so a part of one is never mistaken for a snapshot. What is gone already counts as deleted.
    ///
    /// # Errors
    /// The store did not answer or refused.
    pub async fn delete(&self, key: &SnapshotKey) -> Result<(), StoreError> {
        self.remove(&manifest_key(key)).await?;
        self.remove(&data_key(key)).await
    }

    /// Deletes the remains of an upload, which lie at `relative` in the folder of snapshots, unless a manifest makes a snapshot of them.
    ///
    /// # Errors
    /// The store did not answer or refused.
    pub async fn delete_remains(&self, relative: &str) -> Result<(), StoreError> {
        let key = self.part(&self.home.key(relative)).map(|(key, _)| key);
        let Some(key) = key.filter(|key| data_key(key) == relative) else { return Ok(()) };
        let manifest = self.home.key(&manifest_key(&key));
        match self.home.place.store.head(&manifest).await {
            Err(object_store::Error::NotFound { .. }) => self.remove(relative).await,
            Ok(_) => Ok(()),
            Err(error) => Err(self.home.failed("look at", &manifest, error)),
        }
    }

    async fn remove(&self, relative: &str) -> Result<(), StoreError> {
        let key = self.home.key(relative);
        match self.home.place.store.delete(&key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.home.failed("delete", &key, error)),
        }
    }

    fn part(&self, key: &Key) -> Option<(SnapshotKey, Part)> {
        let relative = self.home.relative(key)?;
        let (stem, part) = match relative.strip_suffix(".db") {
            Some(stem) => (stem, Part::Data),
            None => (relative.strip_suffix(".json")?, Part::Manifest),
        };
        let named = stem.strip_prefix(FOLDER).is_some_and(|rest| rest.split('/').filter(|part| !part.is_empty()).count() == 2);
        SnapshotKey::parse(stem).ok().filter(|_| named).map(|key| (key, part))
    }

    fn stray(&self, meta: &ObjectMeta, why: StrayKind) -> Stray {
        let at = printable(&self.home.relative(&meta.location).unwrap_or_else(|| meta.location.to_string()), SENTENCE);
        Stray { at, stored_at: stored_at(meta), why }
    }

    fn cache(&self) -> MutexGuard<'_, Manifests> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Data,
    Manifest,
}

fn stored_at(meta: &ObjectMeta) -> Timestamp {
    Timestamp(u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or_default())
}

/// A store that several tasks share.
pub type SharedSnapshots = Arc<SnapshotStore>;
