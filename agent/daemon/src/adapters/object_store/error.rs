//! Why the store could not be read.

use std::time::Duration;

impl StoreError {
    /// Access was denied.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        matches!(self, Self::Call { source, .. } if matches!(**source, PermissionDenied { .. } | Unauthenticated { .. }))
    }
}

/// A store that cannot be opened or read. None of these ever counts as an empty store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A URL that names no store.
    #[error("the store is {url:?}, and {why}: give s3://BUCKET/PREFIX or file:///DIRECTORY")]
    Url {
        /// As configured.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store's settings do not fit together.
    #[error("the store {url} cannot be opened")]
    Open {
        /// As configured.
        url: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store's directory does not exist.
    #[error("the store {url} does not exist: mount its file system, or, for a new store, create the directory once")]
    Absent {
        /// As configured.
        url: String,
        /// What the file system says.
        #[source]
        source: std::io::Error,
    },
    /// A list or read was refused or failed.
    #[error("cannot {operation} {key} in the store {url}")]
    Call {
        /// As configured.
        url: String,
        /// What was tried, as an infinitive.
        operation: &'static str,
        /// The key or prefix.
        key: String,
        /// Why not.
        #[source]
        source: Box<object_store::Error>,
    },
    /// No answer in time.
    #[error("the store {url} did not answer within {limit:?}")]
    Timeout {
        /// As configured.
        url: String,
        /// The time limit.
        limit: Duration,
    },
    /// Something that is not an object store answers in its place, or the store contradicts itself.
    #[error("the store {url} lists no objects and yet answers for {key}: something else may be answering in its place; check its endpoint")]
    Impostor {
        /// As configured.
        url: String,
        /// The key that a store without objects cannot have.
        key: String,
    },
    /// A list without end.
    #[error(
        "the store {url} lists more than {limit} objects below {key}: move what is not Quorate's to another place, or check its endpoint"
    )]
    TooMany {
        /// As configured.
        url: String,
        /// The prefix.
        key: String,
        /// How many are read.
        limit: usize,
    },
    /// An object that does not parse.
    #[error("{key} in the store {url} is not a {what}; restore the object from a backup or an older version, and do not delete it")]
    Malformed {
        /// As configured.
        url: String,
        /// Its key.
        key: String,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
