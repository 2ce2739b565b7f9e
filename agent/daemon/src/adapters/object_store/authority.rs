//! The authorities of the cluster's certificates: one object each, created once and never changed. Only members may read them.

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};
use quorate_core::observation::Me;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::home::Home;

/// Its place below the cluster's folder. A later authority, by a rotation, has the next number.
fn place(number: u32) -> String {
    format!("pki/authority-{number:08}.json")
}

/// Four certificates and three keys.
const LIMIT: u64 = 64 << 10;
const WHAT: &str = "authority";

/// See the module.
#[derive(Debug)]
pub struct AuthorityStore {
    home: Home,
}

impl AuthorityStore {
    /// Opens the store at `url` for the cluster of `me`; `limit` bounds each operation. See `CharterStore::open`.
    ///
    /// # Errors
    /// A URL that names no store, or settings that do not fit together.
    pub fn open(url: &str, settings: &BTreeMap<String, String>, me: &Me, limit: Duration) -> Result<Self, StoreError> {
        Ok(Self { home: Home::open(url, settings, me, limit)? })
    }

    /// The authority with this number, from 1; none if there is none.
    ///
    /// # Errors
    /// The store did not answer or refused, or the object does not parse. No error shows any of its content.
    pub async fn read<T: DeserializeOwned>(&self, number: u32) -> Result<Option<T>, StoreError> {
        self.home.within(self.get(number)).await
    }

    async fn get<T: DeserializeOwned>(&self, number: u32) -> Result<Option<T>, StoreError> {
        let key = self.home.key(&place(number));
        let Some(bytes) = self.home.read(&key, LIMIT, WHAT).await? else { return Ok(None) };
        // The parser's message may quote what it met, and that is a key.
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| self.home.malformed(&key, WHAT, format!("no such JSON, at line {}", e.line()).into()))
    }

    /// Creates the one with this number, unless there is one already.
    ///
    /// # Errors
    /// The store did not answer or refused. It may still have been created: read it.
    pub async fn create<T: Serialize>(&self, number: u32, authority: &T) -> Result<(), StoreError> {
        self.home.within(self.put(number, authority)).await
    }

    async fn put<T: Serialize>(&self, number: u32, authority: &T) -> Result<(), StoreError> {
        self.home.check_mounted().await?;
        let key = self.home.key(&place(number));
        let bytes = serde_json::to_vec(authority).map_err(|e| self.home.malformed(&key, WHAT, e.into()))?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.home.place.store.put_opts(&key, PutPayload::from(bytes), options).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(self.home.failed("create", &key, error)),
        }
    }
}
