//! The part of a store that is one cluster's: everything below `<prefix>/<cluster>`.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStoreExt};
use quorate_core::observation::Me;

use super::StoreError;
use super::place::{self, Options, Place};

/// More objects than a cluster creates in years.
const LISTED: usize = 100_000;

/// See the module.
pub(super) struct Home {
    pub(super) url: String,
    pub(super) place: Place,
    /// `<prefix>/<cluster>`.
    pub(super) path: Key,
    /// The longest time that one operation may take.
    pub(super) limit: Duration,
}

impl std::fmt::Debug for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.url, self.path)
    }
}

impl Home {
    /// Opens the store at `url` for the cluster of `me`. Nothing is read yet, and nothing is created.
    ///
    /// For S3 the standard environment applies (`AWS_ENDPOINT_URL_S3`, `AWS_ACCESS_KEY_ID`, ...), then `settings` by object_store's names (`endpoint`,
    /// `access_key_id`, ...); without credentials the instance's role is used. `limit` bounds each request, and each operation run with [`Home::within`].
    ///
    /// # Errors
    /// A URL that names no store, or settings that do not fit together.
    pub(super) fn open(url: &str, settings: &BTreeMap<String, String>, me: &Me, limit: Duration) -> Result<Self, StoreError> {
        let environment: Vec<_> = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        let place = place::open(url, Options { settings, environment: &environment, region: &me.region, limit })?;
        let path = place.prefix.clone().join(me.cluster.as_str());
        Ok(Self { url: url.to_owned(), place, path, limit })
    }

    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let result = tokio::time::timeout(self.limit, work).await;
        result.unwrap_or_else(|_| Err(StoreError::Timeout { url: self.url.clone(), limit: self.limit }))
    }

    /// Makes sure that the directory exists. A missing one is a missing mount and not an empty store: only the operator creates it.
    pub(super) async fn check_mounted(&self) -> Result<(), StoreError> {
        let Some(root) = &self.place.root else { return Ok(()) };
        let refuse = |source| StoreError::Absent { url: self.url.clone(), source };
        match tokio::fs::metadata(root).await {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(refuse(std::io::ErrorKind::NotADirectory.into())),
            Err(source) => Err(refuse(source)),
        }
    }

    /// An object of at most `limit` bytes, whatever the list said of it; none if there is none.
    pub(super) async fn read(&self, key: &Key, limit: u64, what: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = match self.place.store.get(key).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(|e| self.failed("read", key, e))?,
        };
        let (mut bytes, mut parts) = (Vec::new(), found.into_stream());
        while let Some(part) = parts.try_next().await.map_err(|e| self.failed("read", key, e))? {
            bytes.extend_from_slice(&part);
            if bytes.len() as u64 > limit {
                return Err(self.malformed(key, what, format!("it has more than {limit} bytes").into()));
            }
        }
        Ok(Some(bytes))
    }

    /// The error for an object that was listed a moment ago and is now missing.
    pub(super) fn gone(&self, key: &Key) -> StoreError {
        let source = "it was listed a moment ago".into();
        self.failed("read", key, object_store::Error::NotFound { path: key.to_string(), source })
    }

    /// All entries of a list, up to a limit.
    pub(super) async fn listed(
        &self,
        folder: &Key,
        list: impl Stream<Item = Result<ObjectMeta, object_store::Error>>,
    ) -> Result<Vec<ObjectMeta>, StoreError> {
        let listed: Vec<ObjectMeta> = list.take(LISTED + 1).try_collect().await.map_err(|e| self.failed("list", folder, e))?;
        if listed.len() > LISTED {
            return Err(StoreError::TooMany { url: self.url.clone(), key: self.told(folder), limit: LISTED });
        }
        Ok(listed)
    }

    /// The whole key of what lies at `relative` below the cluster's prefix.
    pub(super) fn key(&self, relative: &str) -> Key {
        relative.split('/').fold(self.path.clone(), |key, part| key.join(part))
    }

    /// Where `key` lies below the cluster's prefix; none for a key outside it.
    pub(super) fn relative(&self, key: &Key) -> Option<String> {
        let parts: Vec<String> = key.prefix_match(&self.path)?.map(|part| part.as_ref().to_owned()).collect();
        Some(parts.join("/"))
    }

    /// A key for messages: relative to the store's directory, which an operator knows by the URL.
    pub(super) fn told(&self, key: &Key) -> String {
        let below = self.place.root.as_ref().and_then(|_| key.prefix_match(&self.place.prefix));
        below.map_or_else(|| key.to_string(), |parts| parts.collect::<Key>().to_string())
    }

    pub(super) fn failed(&self, operation: &'static str, key: &Key, source: object_store::Error) -> StoreError {
        StoreError::Call { url: self.url.clone(), operation, key: self.told(key), source: Box::new(source) }
    }

    pub(super) fn malformed(&self, key: &Key, what: &'static str, source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
        StoreError::Malformed { url: self.url.clone(), key: self.told(key), what, source }
    }
}
