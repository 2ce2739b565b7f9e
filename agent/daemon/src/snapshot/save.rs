//! Takes a snapshot: from a member's stream into the store, hashed on the way, and never complete in memory or on the disk.

use std::io;

use bytes::Bytes;
use quorate_core::ids::SnapshotKey;
use quorate_core::observation::Me;
use quorate_core::snapshot::{Manifest, SnapshotOrder, Trigger};
use quorate_core::time::Timestamp;
use tokio::sync::watch;

use super::{Checksum, SnapshotError, Sum};
use crate::adapters::etcd::{Etcd, Ranges, SnapshotStream, Source, current_revision};
use crate::adapters::object_store::{SnapshotStore, Upload, part_size};
use crate::telemetry::chain;

/// The progress of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes so far.
    pub bytes: u64,
    /// The total, once it is known.
    pub of: Option<u64>,
}

/// A snapshot that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its key.
    pub key: SnapshotKey,
    /// Its manifest.
    pub manifest: Manifest,
    /// Why no quorum confirmed that it has every acknowledged write. Of those that an agent takes automatically only the last voter's can lack that
    /// confirmation, if the quorum was lost with the others.
    pub doubt: Option<String>,
}

/// Takes the snapshot that `order` describes.
///
/// # Flow
/// 1. A quorum confirms that the member lacks nothing that was acknowledged; the member says which cluster it belongs to and how far its data reaches.
/// 2. Its database is read to the stream's end and sent in parts, at most three at a time.
/// 3. etcd's own checksum at the end is compared, and the store assembles the parts.
/// 4. A few pages are read back for the exact revision; etcd itself only reports an earlier one.
/// 5. The manifest is written: from then on the snapshot exists.
///
/// # Guarantees
/// Memory does not grow with the database. After any failure there is no manifest, and so no snapshot.
///
/// # Errors
/// Names the side that failed, or says that the data is not complete.
pub async fn save(
    (etcd, store): (&Etcd, &SnapshotStore),
    order: &SnapshotOrder,
    me: &Me,
    now: Timestamp,
    progress: &watch::Sender<Progress>,
) -> Result<Saved, SnapshotError> {
    let url = &*order.via.url;
    let doubt = match etcd.confirm_up_to_date(url).await {
        Ok(()) => None,
        // What an operator can get may be all that is left, and what the last voter has certainly is.
        Err(error) if order.trigger == Trigger::Operator || order.unconfirmed => Some(chain(&error)),
        Err(error) => return Err(error.into()),
    };
    let source = etcd.snapshot_source(url).await?;
    if source.cluster != order.etcd_cluster {
        return Err(SnapshotError::AnotherCluster { url: url.to_owned(), answered: source.cluster, expected: order.etcd_cluster });
    }
    let key = SnapshotKey::of(order.generation, source.revision, now, &me.instance);
    let stream = etcd.snapshot(url).await?;
    let sum = send(stream, store, &key, url, progress).await?;
    let revision = revision(store, &key).await?;
    if revision < source.revision {
        let why = format!("it ends at revision {revision}, and etcd stood at {} before", source.revision);
        return Err(SnapshotError::Corrupt { key, why });
    }
    let manifest = Manifest { revision, ..manifest(order, me, now, source, sum) };
    store.finish(&key, &manifest).await?;
    Ok(Saved { key, manifest, doubt })
}

async fn send(
    mut stream: SnapshotStream,
    store: &SnapshotStore,
    key: &SnapshotKey,
    url: &str,
    progress: &watch::Sender<Progress>,
) -> Result<Sum, SnapshotError> {
    let broken = |why: String| SnapshotError::Broken { url: url.to_owned(), why };
    let Some(first) = stream.next().await? else { return Err(broken("nothing came".to_owned())) };
    let announced = first.bytes().len() as u64 + first.remaining();
    let mut upload = store.upload(key, part_size(announced)).await?;
    let mut checksum = Checksum::default();
    let mut next = Some(first);
    let pumped = async {
        while let Some(blob) = next {
            checksum.update(blob.bytes());
            upload.write(blob.bytes()).await?;
            progress.send_replace(Progress { bytes: checksum.size(), of: Some(announced) });
            next = stream.next().await?;
        }
        checksum.finish().map_err(broken)
    };
    match pumped.await {
        Ok(sum) => complete(upload, sum).await,
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

/// The pages of a snapshot in the store.
struct Remote<'a>(&'a SnapshotStore, &'a SnapshotKey);

impl Ranges for Remote<'_> {
    async fn read(&mut self, offset: u64, len: u64) -> io::Result<Bytes> {
        self.0.pages(self.1, offset..offset.saturating_add(len)).await.map_err(io::Error::other)
    }
}

async fn revision(store: &SnapshotStore, key: &SnapshotKey) -> Result<u64, SnapshotError> {
    let read = current_revision(&mut Remote(store, key)).await;
    read.map_err(|source| SnapshotError::Backend { key: key.clone(), source })
}

async fn complete(upload: Upload<'_>, sum: Sum) -> Result<Sum, SnapshotError> {
    upload.complete().await?;
    Ok(sum)
}

fn manifest(order: &SnapshotOrder, me: &Me, taken_at: Timestamp, source: Source, sum: Sum) -> Manifest {
    Manifest {
        version: Manifest::VERSION,
        account: me.account.clone(),
        region: me.region.clone(),
        cluster: me.cluster.clone(),
        generation: order.generation,
        etcd_cluster: order.etcd_cluster,
        record: order.record,
        voters: order.voters.clone(),
        revision: source.revision,
        size: sum.size,
        sha256: sum.sha256,
        etcd_version: source.version,
        taken_by: me.instance.clone(),
        taken_at,
        trigger: order.trigger,
    }
}
