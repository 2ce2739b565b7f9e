//! A copy of a snapshot on this disk, written as it is read from the store.

use std::path::{Path, PathBuf};

use quorate_core::ids::SnapshotKey;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::SnapshotError;
use crate::adapters::host::HostError;

/// See the module.
#[derive(Debug)]
pub struct Copy {
    file: File,
    path: PathBuf,
    key: SnapshotKey,
}

impl Copy {
    /// An empty file at `path`, for the snapshot `key`.
    ///
    /// # Errors
    /// The disk's.
    pub async fn create(path: &Path, key: &SnapshotKey) -> Result<Self, SnapshotError> {
        let file = File::create(path).await.map_err(failed("create", path, key))?;
        Ok(Self { file, path: path.to_owned(), key: key.clone() })
    }

    /// The next bytes.
    ///
    /// # Errors
    /// The disk's.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.file.write_all(bytes).await.map_err(failed("write", &self.path, &self.key))
    }

    /// All of it is on the disk when this returns.
    ///
    /// # Errors
    /// The disk's.
    pub async fn finish(mut self) -> Result<(), SnapshotError> {
        self.file.flush().await.map_err(failed("write", &self.path, &self.key))?;
        self.file.sync_all().await.map_err(failed("sync", &self.path, &self.key))
    }
}

fn failed(operation: &'static str, path: &Path, key: &SnapshotKey) -> impl FnOnce(std::io::Error) -> SnapshotError {
    let (path, key) = (path.to_owned(), key.clone());
    move |source| SnapshotError::Trial { key, source: HostError::Io { operation, path, source } }
}
