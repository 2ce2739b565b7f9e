//! The restore drill: restores a snapshot into a scratch directory with etcd's own tool, and compares the result.

use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_core::ids::SnapshotKey;
use quorate_core::snapshot::Stored;
use tokio::sync::watch;

use super::{Copy, Progress, SnapshotError, fetch, verify};
use crate::adapters::etcd::{BackendError, Summary, compaction, summary_after};
use crate::adapters::host::{HostError, Restore, RestoreTool, atomic};
use crate::adapters::object_store::SnapshotStore;

/// How long etcd's tool may take: it copies the whole database.
const LIMIT: Duration = Duration::from_secs(1800);
/// In units of the snapshot's size: the snapshot, and what is restored from it with its log.
const ROOM: u64 = 2;
const ROOM_BESIDE: u64 = 64 << 20;

/// The result of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The last revision in the restored data.
    pub revision: u64,
    /// Entries of keys in it, old revisions included.
    pub entries: u64,
}

/// Reads the snapshot from the store into a directory of its own in `scratch`, restores it there with etcd's own tool, and compares revision and hash of all
/// keys before and after. The directory is removed again, whatever the result.
///
/// # Errors
/// The store, the disk or the tool failed, or the restored data is not what the snapshot holds.
pub async fn restore_on_trial(
    store: &SnapshotStore,
    stored: &Stored,
    tool: &RestoreTool,
    scratch: &Path,
    progress: &watch::Sender<Progress>,
) -> Result<Trial, SnapshotError> {
    let failed = |source| SnapshotError::Trial { key: stored.key.clone(), source };
    let place = Place::make(scratch, &stored.key).map_err(failed)?;
    let result = restore(store, stored, tool, &place.0, progress).await;
    // Freeing gigabytes takes a disk seconds, and an agent's loop must not wait for that.
    let _ = tokio::task::spawn_blocking(move || drop(place)).await;
    result
}

async fn restore(
    store: &SnapshotStore,
    Stored { key, manifest, .. }: &Stored,
    tool: &RestoreTool,
    place: &Path,
    progress: &watch::Sender<Progress>,
) -> Result<Trial, SnapshotError> {
    let failed = |source| SnapshotError::Trial { key: key.clone(), source };
    fetch::room(place, key, manifest.size * ROOM + ROOM_BESIDE)?;
    let (snapshot, target) = (place.join("snapshot.db"), place.join("data"));
    let mut copy = Copy::create(&snapshot, key).await?;
    verify(store, key, manifest, progress, Some(&mut copy)).await?;
    copy.finish().await?;
    let url = "http://127.0.0.1:2380";
    let restore = Restore { source: &snapshot, checksum: true, target: &target, name: "trial", peer_url: url, token: "trial", bump: false };
    tool.restore(&restore, LIMIT).await.map_err(failed)?;
    let (before, after) =
        compared(snapshot, target.join("member/snap/db")).await.map_err(|source| SnapshotError::Backend { key: key.clone(), source })?;
    if before != after || after.revision > manifest.revision {
        let why = format!("{before:?} was restored as {after:?}, and its manifest says revision {}", manifest.revision);
        return Err(SnapshotError::Corrupt { key: key.clone(), why });
    }
    Ok(Trial { revision: manifest.revision, entries: after.keys })
}

/// Compares the same part of both: 3.4's tool continues a compaction that was under way in the snapshot.
async fn compared(snapshot: PathBuf, restored: PathBuf) -> Result<(Summary, Summary), BackendError> {
    let work = move || {
        let begun = compaction(&snapshot)?;
        let from = if begun.is_unfinished() { begun.scheduled } else { 0 };
        Ok((summary_after(&snapshot, from)?, summary_after(&restored, from)?))
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(BackendError::Waiting))
}

/// A directory of our own, removed on drop.
struct Place(PathBuf);

impl Place {
    fn make(scratch: &Path, key: &SnapshotKey) -> Result<Self, HostError> {
        atomic::create_private_dir(scratch)?;
        let name = key.as_str().rsplit('/').next().unwrap_or("snapshot");
        let path = scratch.join(format!("trial-{}-{name}", std::process::id()));
        atomic::create_private_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("{} is left over from a trial: {error}", self.0.display());
        }
    }
}
