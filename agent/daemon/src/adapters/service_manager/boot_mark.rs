//! The note that etcd ran on this data since the machine booted.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ServiceError;
use crate::adapters::host::{HostError, atomic};

/// The boot and the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BootMark {
    /// The kernel's name for this boot: process ids and start times mean nothing in another.
    boot: String,
    /// The data directory.
    data_dir: PathBuf,
    /// Its inode: after a restore or a new join the same path is other data.
    data_inode: u64,
}

const NAME: &str = "ran.json";

impl BootMark {
    /// The mark for this boot and for the data that lies there now.
    pub(super) fn of(data_dir: &Path) -> Result<Self, ServiceError> {
        let data_inode = fs::metadata(data_dir).map_err(|source| io("look at", data_dir, source))?.ino();
        let boot = this_boot().ok_or_else(|| io("read", Path::new(BOOT_ID), ErrorKind::InvalidData.into()))?;
        Ok(Self { boot, data_dir: data_dir.to_owned(), data_inode })
    }

    /// Reads the mark from its own file. One that does not parse counts as none: a start then only needs more proof.
    pub(super) fn read(run_dir: &Path) -> Result<Option<Self>, ServiceError> {
        read_json(&run_dir.join(NAME))
    }

    pub(super) fn write(&self, run_dir: &Path) -> Result<(), ServiceError> {
        write_json(&run_dir.join(NAME), self)
    }

    pub(super) fn is_of_this_boot(&self) -> bool {
        this_boot().as_ref() == Some(&self.boot)
    }

    /// Whether it is from this boot, and about the data that lies there now.
    pub(super) fn holds_for(&self, data_dir: &Path) -> bool {
        let same = self.data_dir == data_dir && fs::metadata(data_dir).is_ok_and(|m| m.ino() == self.data_inode);
        same && self.is_of_this_boot()
    }
}

/// Reads a JSON file. One that does not parse counts as none.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, ServiceError> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io("read", path, source)),
    }
}

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ServiceError> {
    let bytes = serde_json::to_vec(value).map_err(|source| HostError::Json { path: path.to_owned(), remedy: "report it", source })?;
    Ok(atomic::write(path, &bytes)?)
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

fn this_boot() -> Option<String> {
    fs::read_to_string(BOOT_ID).ok().map(|id| id.trim().to_owned())
}

fn io(operation: &'static str, path: &Path, source: std::io::Error) -> ServiceError {
    ServiceError::Io { operation, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_for_one_boot_and_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("etcd");
        fs::create_dir(&data).unwrap();
        assert_eq!(BootMark::read(dir.path()).unwrap(), None);
        let mark = BootMark::of(&data).unwrap();
        mark.write(dir.path()).unwrap();
        let read = BootMark::read(dir.path()).unwrap().unwrap();
        assert_eq!(read, mark);
        assert!(read.holds_for(&data));
        assert!(!BootMark { boot: "another".into(), ..read.clone() }.holds_for(&data));
        // The old directory is kept, so its inode is not reused for the new one.
        fs::rename(&data, dir.path().join("aside")).unwrap();
        fs::create_dir(&data).unwrap();
        assert!(!read.holds_for(&data));
        fs::write(dir.path().join(NAME), "{").unwrap();
        assert_eq!(BootMark::read(dir.path()).unwrap(), None);
    }
}
