//! What the store publishes about a cluster: where it is served, and the root by which its members are known. Workers may read nothing else in the store.

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::{ObjectStoreExt, PutPayload};
use quorate_core::endpoint_directory::{AUTHORITY_PLACE, EndpointDirectory, PLACE};
use quorate_core::observation::Me;

use super::StoreError;
use super::home::Home;

/// It lists at most a few servers.
const LIMIT: u64 = 64 << 10;
const WHAT: &str = "list of servers";

/// See the module.
#[derive(Debug)]
pub struct EndpointDirectoryStore {
    home: Home,
    me: Me,
}

impl EndpointDirectoryStore {
    /// Opens the store at `url` for the cluster of `me`; `limit` bounds each operation. See `CharterStore::open`.
    ///
    /// # Errors
    /// A URL that names no store, or settings that do not fit together.
    pub fn open(url: &str, settings: &BTreeMap<String, String>, me: &Me, limit: Duration) -> Result<Self, StoreError> {
        Ok(Self { home: Home::open(url, settings, me, limit)?, me: me.clone() })
    }

    /// What is published; none if nothing is. To a caller that may not list, such as a worker, S3 says "denied" instead.
    ///
    /// # Errors
    /// The store did not answer or refused, or the object is another cluster's, or in an unknown format.
    pub async fn read(&self) -> Result<Option<EndpointDirectory>, StoreError> {
        self.home.within(self.get()).await
    }

    async fn get(&self) -> Result<Option<EndpointDirectory>, StoreError> {
        let key = self.home.key(PLACE);
        let malformed = |why: String| self.home.malformed(&key, WHAT, why.into());
        let Some(bytes) = self.home.read(&key, LIMIT, WHAT).await? else { return Ok(None) };
        let published: EndpointDirectory = serde_json::from_slice(&bytes).map_err(|e| self.home.malformed(&key, WHAT, e.into()))?;
        if published.version != EndpointDirectory::VERSION {
            return Err(malformed(format!("it has format {}, and this version knows {}", published.version, EndpointDirectory::VERSION)));
        }
        if !published.belongs_to(&self.me) {
            let EndpointDirectory { cluster, account, region, .. } = &published;
            return Err(malformed(format!("it is of cluster {cluster} of account {account} in {region}")));
        }
        Ok(Some(published))
    }

    /// Publishes this, replacing what was there.
    ///
    /// # Errors
    /// The store did not answer or refused.
    pub async fn write(&self, published: &EndpointDirectory) -> Result<(), StoreError> {
        self.home.within(self.put(published)).await
    }

    /// The root of the cluster's authority, in PEM; none if none is published.
    ///
    /// # Errors
    /// The store did not answer or refused.
    pub async fn read_authority(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.home.within(self.home.read(&self.home.key(AUTHORITY_PLACE), LIMIT, "authority")).await
    }

    /// Publishes the root of the cluster's authority, unless it is there.
    ///
    /// # Errors
    /// The store did not answer or refused.
    pub async fn write_authority(&self, pem: &[u8]) -> Result<(), StoreError> {
        self.home.within(self.put_authority(pem)).await
    }

    async fn put_authority(&self, pem: &[u8]) -> Result<(), StoreError> {
        self.home.check_mounted().await?;
        let key = self.home.key(AUTHORITY_PLACE);
        if self.home.read(&key, LIMIT, "authority").await.is_ok_and(|stands| stands.as_deref() == Some(pem)) {
            return Ok(());
        }
        let put = self.home.place.store.put(&key, PutPayload::from(pem.to_vec())).await;
        put.map(drop).map_err(|e| self.home.failed("write", &key, e))
    }

    async fn put(&self, published: &EndpointDirectory) -> Result<(), StoreError> {
        self.home.check_mounted().await?;
        let key = self.home.key(PLACE);
        let bytes = serde_json::to_vec_pretty(published).map_err(|e| self.home.malformed(&key, WHAT, e.into()))?;
        let put = self.home.place.store.put(&key, PutPayload::from(bytes)).await;
        put.map(drop).map_err(|e| self.home.failed("write", &key, e))
    }
}
