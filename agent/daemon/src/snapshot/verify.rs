//! Verifies a snapshot in the store: every byte is read again.

use quorate_core::ids::SnapshotKey;
use quorate_core::snapshot::Manifest;
use tokio::sync::watch;

use super::{Checksum, Copy, Progress, SnapshotError};
use crate::adapters::object_store::SnapshotStore;

/// The bytes read at a time: each read is a request of its own with a time limit, and a download of any size needs no more memory.
const PIECE: u64 = 4 << 20;

/// A snapshot whose bytes are as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified(pub SnapshotKey);

/// Reads the snapshot, into `copy` if there is one, and compares size, SHA-256 and etcd's own checksum with what its manifest says.
///
/// # Errors
/// The store or the disk failed, or the bytes are not those that were written.
pub async fn verify(
    store: &SnapshotStore,
    key: &SnapshotKey,
    manifest: &Manifest,
    progress: &watch::Sender<Progress>,
    mut copy: Option<&mut Copy>,
) -> Result<Verified, SnapshotError> {
    let mut checksum = Checksum::default();
    while checksum.size() < manifest.size {
        let at = checksum.size();
        let bytes = store.read(key, at..manifest.size.min(at + PIECE)).await?;
        checksum.update(&bytes);
        if let Some(copy) = &mut copy {
            copy.write(&bytes).await?;
        }
        progress.send_replace(Progress { bytes: checksum.size(), of: Some(manifest.size) });
    }
    let corrupt = |why: String| SnapshotError::Corrupt { key: key.clone(), why };
    let sum = checksum.finish().map_err(corrupt)?;
    if sum.sha256 != manifest.sha256 {
        return Err(corrupt(format!("its SHA-256 is {}, and its manifest says {}", sum.sha256, manifest.sha256)));
    }
    Ok(Verified(key.clone()))
}
