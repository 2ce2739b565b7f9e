//! The record of the process that was started last, for the next agent.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::proc::ProcessId;
use crate::adapters::service_manager::ServiceError;
use crate::adapters::service_manager::boot_mark::{BootMark, read_json, write_json};

/// Kept after the process has ended: it shows that the program has run on this data since the machine booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The process.
    pub(super) process: ProcessId,
    /// When and on what it ran.
    #[serde(flatten)]
    pub(super) mark: BootMark,
}

impl Record {
    pub(super) fn new(process: ProcessId, data_dir: &Path) -> Result<Self, ServiceError> {
        Ok(Self { process, mark: BootMark::of(data_dir)? })
    }

    /// Reads the record; without one all processes are searched anyway.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ServiceError> {
        read_json(path)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), ServiceError> {
        write_json(path, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("etcd.json");
        assert_eq!(Record::read(&path).unwrap(), None);
        let record = Record::new(ProcessId { pid: 1, started: 2 }, dir.path()).unwrap();
        record.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), Some(record));
    }
}
