//! Which units still have to be reloaded after a file changed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::adapters::host::{HostError, atomic};

/// One empty file for each such unit, in the run directory: if an agent exits between a file's write and its unit's reload, the next one reloads it. After a
/// boot nothing is due, because every unit starts with the new file.
#[derive(Debug)]
pub(super) struct Due {
    dir: PathBuf,
}

impl Due {
    pub(super) fn in_dir(run_dir: &Path) -> Self {
        Self { dir: run_dir.join("reload-due") }
    }

    /// Marks a unit, before its file is written.
    pub(super) fn add(&self, unit: &str) -> Result<(), HostError> {
        fs::create_dir_all(&self.dir).map_err(HostError::io("create", &self.dir))?;
        let path = self.dir.join(unit);
        File::create(&path).map(drop).map_err(HostError::io("create", &path))
    }

    /// Whether this unit has to be reloaded.
    pub(super) fn contains(&self, unit: &str) -> bool {
        self.dir.join(unit).exists()
    }

    /// Unmarks a unit that was reloaded.
    pub(super) fn remove(&self, unit: &str) -> Result<(), HostError> {
        atomic::remove_if_there(&self.dir.join(unit))
    }
}
