//! The charter in the object store: one object for each record, created if absent and never changed.
//!
//! `<prefix>/<cluster>/charter/<number, 20 digits>.json`, so keys sort as numbers do.

mod probe;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use quorate_core::charter::{Log, Record, StoreView};
use quorate_core::endpoint_directory::{AUTHORITY_PLACE, PLACE};
use quorate_core::observation::Me;
use quorate_core::plan::Outcome;

use super::StoreError;
use super::home::Home;
use crate::telemetry::chain;
pub use probe::{Creation, Probe};

/// How many of the last records a reader that remembers nothing gets: enough to judge the highest.
const TAIL: usize = 100;

/// A record lists at most a few voters.
const RECORD_LIMIT: u64 = 256 << 10;

const RECORD: &str = "charter record";

/// Records read at a time, when there are several.
const AT_ONCE: usize = 8;

/// The store of one cluster's charter.
#[derive(Debug)]
pub struct CharterStore(Option<Store>);

#[derive(Debug)]
struct Store {
    home: Home,
    /// Records read before, each with its entry in the list at that time: while the entry is unchanged, so is the record.
    read: Mutex<BTreeMap<u64, (ObjectMeta, Record)>>,
}

impl CharterStore {
    /// Opens the store at `url` for the cluster of `me`; without a URL none is configured. Nothing is read yet, and nothing is created.
    ///
    /// `settings` are object_store's own, and take precedence over the environment's `AWS_*`; `limit` bounds each look and each write.
    ///
    /// # Errors
    /// A URL that names no store, or settings that do not fit together.
    pub fn open(url: Option<&str>, settings: &BTreeMap<String, String>, me: &Me, limit: Duration) -> Result<Self, StoreError> {
        let Some(url) = url else { return Ok(Self(None)) };
        Ok(Self(Some(Store { home: Home::open(url, settings, me, limit)?, read: Mutex::default() })))
    }

    /// Reads the charter from the record that the caller remembers, inclusive, to the highest. If nothing has changed, this takes only one list call.
    ///
    /// # Errors
    /// A store that did not answer, refused, or holds a record that does not parse. A long charter may need several calls: each keeps what it read for the
    /// next.
    pub async fn read(&self, remembered: Option<&Record>) -> Result<StoreView, StoreError> {
        let Some(store) = &self.0 else { return Ok(StoreView::NotConfigured) };
        store.home.within(store.view(remembered.map(|r| r.number))).await
    }

    /// Creates this record, if its number is free. It is also done if the store holds this very record already, for example from an earlier call of ours whose
    /// answer was lost.
    pub async fn create(&self, record: &Record) -> Outcome {
        let Some(store) = &self.0 else { return Outcome::Refused("no store is configured".to_owned()) };
        match store.home.within(store.put(record)).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Unclear(chain(&error)),
        }
    }
}

impl Store {
    async fn view(&self, remembered: Option<u64>) -> Result<StoreView, StoreError> {
        self.home.check_mounted().await?;
        let mut found = BTreeMap::new();
        if let Some(number) = remembered {
            found = self.list_after(number.saturating_sub(1)).await?;
        }
        // The remembered record vanished with all above it, or none is remembered: read everything.
        if found.is_empty() {
            let (records, other) = self.list_all().await?;
            let Some(example) = other.filter(|_| records.is_empty()) else { return self.charter(records, remembered).await };
            return Ok(StoreView::Foreign { example: example.into() });
        }
        self.charter(found, remembered).await
    }

    async fn charter(&self, mut found: BTreeMap<u64, ObjectMeta>, remembered: Option<u64>) -> Result<StoreView, StoreError> {
        if found.is_empty() {
            return self.prove_empty(remembered).await;
        }
        if remembered.is_none_or(|number| !found.contains_key(&number)) {
            let first = found.keys().rev().nth(TAIL - 1).copied().unwrap_or_default();
            found.retain(|number, _| *number >= first);
        }
        let reads = futures::stream::iter(found).map(|(number, meta)| self.record(number, meta)).buffered(AT_ONCE);
        let records: Vec<Record> = reads.try_collect().await?;
        let first = records.first().map_or(0, |r| r.number);
        self.cache().retain(|number, _| *number >= first);
        Ok(StoreView::Charter(Log { records }))
    }

    /// Confirms that the store is empty. A page that is not a list, such as a captive portal's, reads as an empty one: object_store accepts any XML as a list.
    /// So the store must also say "not found" for single keys: one that is never written, the first record, and the remembered one.
    async fn prove_empty(&self, remembered: Option<u64>) -> Result<StoreView, StoreError> {
        for key in [0, 1].into_iter().chain(remembered).map(|number| self.key(number)) {
            match self.home.place.store.get(&key).await {
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.home.failed("read", &key, error)),
                Ok(_) => return Err(StoreError::Impostor { url: self.home.url.clone(), key: self.home.told(&key) }),
            }
        }
        Ok(StoreView::Absent)
    }

    /// The records with a number above `number`.
    async fn list_after(&self, number: u64) -> Result<BTreeMap<u64, ObjectMeta>, StoreError> {
        let folder = self.folder();
        let listed = self.home.place.store.list_with_offset(Some(&folder), &self.key(number));
        let metas = self.home.listed(&folder, listed).await?;
        Ok(metas.into_iter().filter_map(|meta| Some((self.number(&meta.location)?, meta))).collect())
    }

    /// All records, and one object of the cluster that is not a record. A snapshot, or anything else that an operator has to know about, is preferred to
    /// what is published.
    async fn list_all(&self) -> Result<(BTreeMap<u64, ObjectMeta>, Option<String>), StoreError> {
        let listed = self.home.place.store.list(Some(&self.home.path));
        let (mut records, mut other, published) = (BTreeMap::new(), None, [PLACE, AUTHORITY_PLACE].map(|place| self.home.key(place)));
        let mut is_published = None;
        for meta in self.home.listed(&self.home.path, listed).await? {
            match self.number(&meta.location) {
                Some(number) => drop(records.insert(number, meta)),
                None if published.contains(&meta.location) => is_published = Some(self.home.told(&meta.location)),
                None => other = other.or_else(|| Some(self.home.told(&meta.location))),
            }
        }
        Ok((records, other.or(is_published)))
    }

    /// A record, from an earlier read or from the store.
    async fn record(&self, number: u64, meta: ObjectMeta) -> Result<Record, StoreError> {
        if let Some((_, record)) = self.cache().get(&number).filter(|(seen, _)| *seen == meta) {
            return Ok(record.clone());
        }
        if meta.size > RECORD_LIMIT {
            return Err(self.home.malformed(&meta.location, RECORD, format!("it has {} bytes", meta.size).into()));
        }
        let record = self.get(number, &meta.location).await?;
        self.cache().insert(number, (meta, record.clone()));
        Ok(record)
    }

    async fn get(&self, number: u64, key: &Key) -> Result<Record, StoreError> {
        let bytes = self.home.read(key, RECORD_LIMIT, RECORD).await?.ok_or_else(|| self.home.gone(key))?;
        let record: Record = serde_json::from_slice(&bytes).map_err(|e| self.home.malformed(key, RECORD, e.into()))?;
        if record.number != number {
            return Err(self.home.malformed(key, RECORD, format!("it says that its number is {}", record.number).into()));
        }
        Ok(record)
    }

    async fn put(&self, record: &Record) -> Result<Outcome, StoreError> {
        self.home.check_mounted().await?;
        let key = self.key(record.number);
        let bytes = serde_json::to_vec(record).map_err(|e| self.home.malformed(&key, RECORD, e.into()))?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.home.place.store.put_opts(&key, PutPayload::from(bytes), options).await {
            Ok(_) => Ok(Outcome::Done),
            Err(object_store::Error::AlreadyExists { .. }) => self.taken(record, &key).await,
            Err(error @ (object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. })) => {
                Ok(Outcome::Refused(chain(&self.home.failed("create", &key, error))))
            }
            Err(error) => Err(self.home.failed("create", &key, error)),
        }
    }

    /// Decides by the object itself: S3 also says "exists" while another create of that number is under way (409).
    async fn taken(&self, record: &Record, key: &Key) -> Result<Outcome, StoreError> {
        let existing = self.get(record.number, key).await?;
        Ok(if existing == *record {
            Outcome::Done
        } else {
            Outcome::Refused(format!("the store already holds another record {}: {existing}", record.number))
        })
    }

    fn folder(&self) -> Key {
        self.home.path.clone().join("charter")
    }

    fn key(&self, number: u64) -> Key {
        self.folder().join(format!("{number:020}.json"))
    }

    fn number(&self, key: &Key) -> Option<u64> {
        let digits = key.filename()?.strip_suffix(".json")?;
        let number = digits.parse().ok()?;
        (self.key(number) == *key).then_some(number)
    }

    fn cache(&self) -> MutexGuard<'_, BTreeMap<u64, (ObjectMeta, Record)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
