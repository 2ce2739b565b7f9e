//! The stream of a member's own database, as `etcdctl snapshot save` reads it.

use std::time::Duration;

use etcd_client::{SnapshotResponse, SnapshotStreaming, StatusResponse};
use quorate_core::ids::EtcdClusterId;

use super::{Etcd, EtcdError};

const SNAPSHOT: &str = "Snapshot";
/// Longest silence within the stream: etcd reads its file meanwhile, and a slow disk may stall.
const SILENCE: Duration = Duration::from_secs(30);

/// A member of which a snapshot is about to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its cluster.
    pub cluster: EtcdClusterId,
    /// Its version.
    pub version: String,
    /// It holds at least this revision.
    pub revision: u64,
}

/// The next bytes of a database.
#[derive(Debug)]
pub struct SnapshotStream {
    url: String,
    stream: SnapshotStreaming,
}

/// One message of the stream.
#[derive(Debug)]
pub struct Blob(SnapshotResponse);

impl Blob {
    /// Some bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.blob()
    }

    /// How many bytes of the database come after them, as etcd says. The checksum's message says 0, and so does the one before it (etcd `maintenance.go`), so
    /// only the stream's end is the end.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.0.remaining_bytes()
    }
}

impl Etcd {
    /// Which member answers at `url`, and how far its data reaches.
    ///
    /// # Errors
    /// No answer in time, or none at all.
    pub async fn snapshot_source(&self, url: &str) -> Result<Source, EtcdError> {
        let limit = self.call_timeout;
        let response = self.endpoints.call(url, "Status", limit, async |c| c.maintenance_client().status().await).await?;
        let header = response.header().ok_or_else(|| EtcdError::incomplete(url, "Status", "a header"))?;
        let revision = u64::try_from(header.revision()).unwrap_or_default();
        Ok(Source { cluster: EtcdClusterId(header.cluster_id()), version: StatusResponse::version(&response).to_owned(), revision })
    }

    /// Returns once a quorum has confirmed that the member at `url` has all that was acknowledged when it was called: a snapshot of one that lags behind
    /// the leader would lack writes.
    ///
    /// # Errors
    /// No quorum, or no answer in time.
    pub async fn confirm_up_to_date(&self, url: &str) -> Result<(), EtcdError> {
        // Linearizable, as every Get is by default; it asks for one key, which need not exist.
        let read = async |c: &etcd_client::Client| c.kv_client().get("/quorate/", None).await;
        self.endpoints.call(url, "Get", self.call_timeout, read).await.map(drop)
    }

    /// Begins to read the member's database.
    ///
    /// # Errors
    /// No answer in time, or a refusal.
    pub async fn snapshot(&self, url: &str) -> Result<SnapshotStream, EtcdError> {
        let stream = self.endpoints.call(url, SNAPSHOT, SILENCE, async |c| c.maintenance_client().snapshot().await).await?;
        Ok(SnapshotStream { url: url.to_owned(), stream })
    }
}

impl SnapshotStream {
    /// The next bytes; `None` at the stream's end.
    ///
    /// # Errors
    /// The stream broke off, or was silent for too long.
    pub async fn next(&mut self) -> Result<Option<Blob>, EtcdError> {
        let message = match tokio::time::timeout(SILENCE, self.stream.message()).await {
            Ok(message) => message.map_err(|source| EtcdError::from_client(&self.url, SNAPSHOT, source))?,
            Err(_) => return Err(EtcdError::Timeout { url: self.url.clone(), operation: SNAPSHOT, limit: SILENCE }),
        };
        Ok(message.map(Blob))
    }
}
