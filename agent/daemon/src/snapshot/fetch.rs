//! Fetches a snapshot from the store to this disk, and verifies it on the way.

use std::path::{Path, PathBuf};

use quorate_core::ids::SnapshotKey;
use quorate_core::observation::FetchFailure;
use quorate_core::snapshot::Manifest;
use tokio::sync::watch;

use super::{Copy, Progress, SnapshotError, verify};
use crate::adapters::host::{HostError, atomic};
use crate::adapters::object_store::SnapshotStore;
use crate::telemetry::chain;

/// In units of the snapshot's size: the snapshot itself and what is restored from it. Beside them etcd needs some room.
const ROOM: u64 = 2;
const ROOM_BESIDE: u64 = 64 << 20;

/// Where a fetched snapshot lies.
#[must_use]
pub(super) fn place(dir: &Path, key: &SnapshotKey) -> PathBuf {
    dir.join(format!("{}.db", key.as_str().replace('/', "_")))
}

/// The complete snapshot in the directory, if any: it gets its name only once it is verified.
#[must_use]
pub(super) fn found(dir: &Path) -> Option<SnapshotKey> {
    let names = std::fs::read_dir(dir).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut keys: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".db")?.replace('_', "/"))).collect();
    keys.sort();
    keys.pop().and_then(|key| SnapshotKey::parse(&key).ok())
}

/// Reads the snapshot into the directory, and gives it its name once every byte is verified.
///
/// # Errors
/// The store or the disk failed, there is too little room, or it is not what its manifest says.
pub(super) async fn fetch(
    store: &SnapshotStore,
    key: &SnapshotKey,
    dir: &Path,
    tell: &watch::Sender<Progress>,
) -> Result<(), SnapshotError> {
    let listing = store.list().await?;
    let gone = || SnapshotError::Gone { key: key.clone() };
    let manifest = &listing.get(key).ok_or_else(gone)?.manifest;
    let failed = |source| SnapshotError::Trial { key: key.clone(), source };
    atomic::create_private_dir(dir).map_err(failed)?;
    clear(dir, key).map_err(failed)?;
    room(dir, key, manifest.size * ROOM + ROOM_BESIDE)?;
    match read(store, key, manifest, dir, tell).await {
        // One bad read must not decide which snapshot a whole cluster is restored from.
        Err(SnapshotError::Corrupt { .. }) => read(store, key, manifest, dir, tell).await,
        result => result,
    }
}

async fn read(
    store: &SnapshotStore,
    key: &SnapshotKey,
    manifest: &Manifest,
    dir: &Path,
    tell: &watch::Sender<Progress>,
) -> Result<(), SnapshotError> {
    let (part, whole) = (dir.join("part"), place(dir, key));
    let mut copy = Copy::create(&part, key).await?;
    verify(store, key, manifest, tell, Some(&mut copy)).await?;
    copy.finish().await?;
    atomic::rename(&part, &whole).map_err(|source| SnapshotError::Trial { key: key.clone(), source })
}

/// Removes incomplete and bad copies, and those of other snapshots.
fn clear(dir: &Path, key: &SnapshotKey) -> Result<(), HostError> {
    let failed = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| HostError::Io { operation, path, source }
    };
    for entry in std::fs::read_dir(dir).map_err(failed("read", dir))? {
        let path = entry.map_err(failed("read", dir))?.path();
        if path != place(dir, key) {
            std::fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

/// Makes sure that the disk has enough room.
///
/// # Errors
/// There is too little room, or it is not known how much.
pub(super) fn room(dir: &Path, key: &SnapshotKey, needed: u64) -> Result<(), SnapshotError> {
    let looked =
        rustix::fs::statvfs(dir).map_err(|error| HostError::Io { operation: "look at", path: dir.to_owned(), source: error.into() });
    let stat = looked.map_err(|source| SnapshotError::Trial { key: key.clone(), source })?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free >= needed {
        return Ok(());
    }
    Err(SnapshotError::NoRoom { key: key.clone(), path: dir.to_owned(), free, needed })
}

/// Whether another attempt may succeed.
#[must_use]
pub(super) fn failure(error: &SnapshotError) -> FetchFailure {
    match error {
        SnapshotError::Corrupt { .. } | SnapshotError::Backend { .. } => FetchFailure::Corrupt(chain(error)),
        _ => FetchFailure::Failed(chain(error)),
    }
}
