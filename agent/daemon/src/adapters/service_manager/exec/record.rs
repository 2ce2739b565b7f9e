//! The record of the process that was started last, for the next agent.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::proc::ProcessId;
use crate::adapters::host::{HostError, atomic};
use crate::adapters::service_manager::ServiceError;

/// Kept after the process has ended: it tells that etcd ran on this data since the machine booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The process.
    pub(super) process: ProcessId,
    /// The kernel's name for this boot: process ids and start times mean nothing in another.
    pub(super) boot: String,
    /// The data directory.
    pub(super) data_dir: PathBuf,
    /// Its inode: after a restore or a new join the same path is other data.
    pub(super) data_inode: u64,
}

const NAME: &str = "etcd.json";

impl Record {
    pub(super) fn new(process: ProcessId, data_dir: &Path) -> Result<Self, ServiceError> {
        let data_inode = fs::metadata(data_dir).map_err(|source| io("look at", data_dir, source))?.ino();
        let boot = this_boot().ok_or_else(|| io("read", Path::new(BOOT_ID), ErrorKind::InvalidData.into()))?;
        Ok(Self { process, boot, data_dir: data_dir.to_owned(), data_inode })
    }

    /// Reads it. A file that does not parse is as good as none: the processes are searched in any case, and a `false` of
    /// `ran_this_boot` only asks for more proof before a start.
    pub(super) fn read(run_dir: &Path) -> Result<Option<Self>, ServiceError> {
        let path = run_dir.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io("read", &path, source)),
        }
    }

    pub(super) fn write(&self, run_dir: &Path) -> Result<(), ServiceError> {
        let path = run_dir.join(NAME);
        let bytes = serde_json::to_vec(self).map_err(|source| HostError::Json { path: path.clone(), remedy: "report it", source })?;
        Ok(atomic::write(&path, &bytes)?)
    }

    pub(super) fn is_of_this_boot(&self) -> bool {
        this_boot().as_ref() == Some(&self.boot)
    }

    pub(super) fn is_of(&self, data_dir: &Path) -> bool {
        self.data_dir == data_dir && fs::metadata(data_dir).is_ok_and(|m| m.ino() == self.data_inode)
    }
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
    fn is_of_one_boot_and_of_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("etcd");
        fs::create_dir(&data).unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), None);
        let record = Record::new(ProcessId { pid: 1, started: 2 }, &data).unwrap();
        record.write(dir.path()).unwrap();
        let read = Record::read(dir.path()).unwrap().unwrap();
        assert_eq!(read, record);
        assert!(read.is_of_this_boot() && read.is_of(&data));
        assert!(!Record { boot: "another".into(), ..read.clone() }.is_of_this_boot());
        // The old directory is kept, so that its inode is not given to the new one.
        fs::rename(&data, dir.path().join("aside")).unwrap();
        fs::create_dir(&data).unwrap();
        assert!(!read.is_of(&data));
        fs::write(dir.path().join(NAME), "{").unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), None);
    }
}
