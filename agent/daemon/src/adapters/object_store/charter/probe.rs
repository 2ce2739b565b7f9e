//! What `quorate check` asks of the store: each of the agent's operations, in a form that changes nothing.

use object_store::path::Path as Key;
use object_store::{PutMode, PutOptions, PutPayload};

use super::{CharterStore, RECORD, RECORD_LIMIT, Store, StoreError};

/// The result of each operation.
#[derive(Debug)]
pub struct Probe {
    /// How many charter records there are, and an object that is not one.
    pub list: Result<(usize, Option<String>), StoreError>,
    /// Reading the highest record, or finding that there is none.
    pub read: Result<(), StoreError>,
    /// Creating a record that exists.
    pub create: Creation,
}

/// The result of creating a record that exists already.
#[derive(Debug)]
pub enum Creation {
    /// It was refused because it exists, as it must be.
    Exists,
    /// It was accepted: the store does not honour `If-None-Match`. The bytes were the record's own, so nothing changed.
    Overwritten,
    /// It was not tried, for this reason.
    NotTried(&'static str),
    /// It failed otherwise.
    Failed(StoreError),
}

impl CharterStore {
    /// The URL that requests go to, for a store that is reached over the network.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.0.as_ref()?.home.place.endpoint.as_deref()
    }

    /// Tries every operation; `None` if no store is configured.
    pub async fn probe(&self) -> Option<Probe> {
        Some(self.0.as_ref()?.probe().await)
    }
}

impl Store {
    async fn probe(&self) -> Probe {
        let listed = self.home.within(async {
            self.home.check_mounted().await?;
            self.list_all().await
        });
        let list = listed.await;
        let highest = list.as_ref().ok().and_then(|(records, _)| records.keys().next_back().copied());
        // S3 answers 404 for a missing object only to a caller that may list, and 403 to all others.
        let read = self.home.within(self.bytes(self.key(highest.unwrap_or_default()))).await;
        let create = match (&self.home.place.root, highest, &read) {
            (Some(_), ..) => Creation::NotTried("it is a directory"),
            (_, Some(number), Ok(Some(bytes))) => self.create_again(self.key(number), bytes).await,
            _ => Creation::NotTried("there is no record yet that could be created a second time: the first claim tries it"),
        };
        Probe { list: list.map(|(records, other)| (records.len(), other)), read: read.map(drop), create }
    }

    async fn bytes(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.home.read(&key, RECORD_LIMIT, RECORD).await
    }

    /// Creates the record again with its own bytes: a record never changes, so even a store that ignores the condition holds the same afterwards.
    async fn create_again(&self, key: Key, bytes: &[u8]) -> Creation {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = async {
            match self.home.place.store.put_opts(&key, PutPayload::from(bytes.to_vec()), options).await {
                Ok(_) => Ok(Creation::Overwritten),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(Creation::Exists),
                Err(error) => Err(self.home.failed("create", &key, error)),
            }
        };
        self.home.within(put).await.unwrap_or_else(Creation::Failed)
    }
}
