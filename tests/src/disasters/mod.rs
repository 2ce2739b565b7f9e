//! The outcome of each disaster: one row for each that was survived, in one table.
//!
//! Every scenario of `tests/tests/disasters` records its own row when all that it asserts has held. A scenario that failed has none, and its test
//! says why. The table is written again with each row, in the order of the rows' names, so it does not depend on which was quicker.

mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

/// Where the table is written; `target/disasters` of this tree without it.
const DIRECTORY: &str = "QUORATE_DISASTERS";

/// A disaster that was survived, as it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The scenario, such as `D3b, the leader`. Rows are ordered by it.
    pub scenario: &'static str,
    /// What failed.
    pub failed: &'static str,
    /// How it came back, or why there was nothing to do.
    pub came_back: String,
    /// From the fault until a client's write was acknowledged again; none where that is not the point.
    #[serde(rename = "writes_after_ms", serialize_with = "table::ms")]
    pub writes_after: Option<Duration>,
    /// From the fault until the voters were the live instances again, all in service; or until an agent said why not.
    #[serde(rename = "settled_after_ms", serialize_with = "table::ms")]
    pub settled_after: Option<Duration>,
    /// The last revision of the snapshot that was restored.
    pub revision: Option<u64>,
    /// Acknowledged writes that are missing, and of how many.
    pub lost: Option<Lost>,
}

/// How long it took from the fault on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// Until a client's write was acknowledged again.
    pub writes: Duration,
    /// Until the voters were the live instances again, all in service.
    pub whole: Duration,
}

/// Acknowledged writes at the end of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Those that are missing.
    pub lost: usize,
    /// All of them.
    pub acknowledged: usize,
}

impl Row {
    /// A scenario in which nothing was measured yet.
    #[must_use]
    pub fn new(scenario: &'static str, failed: &'static str, came_back: impl Into<String>) -> Self {
        let came_back = came_back.into();
        Self { scenario, failed, came_back, writes_after: None, settled_after: None, revision: None, lost: None }
    }

    /// The same, with the times from the fault until writes went on, and until all was whole.
    #[must_use]
    pub fn took(self, took: Took) -> Self {
        Self { writes_after: Some(took.writes), settled_after: Some(took.whole), ..self }
    }

    /// The same, where only the first is the point.
    #[must_use]
    pub fn writes_after(self, took: Duration) -> Self {
        Self { writes_after: Some(took), ..self }
    }

    /// The same, where writes are not the point.
    #[must_use]
    pub fn settled_after(self, took: Duration) -> Self {
        Self { settled_after: Some(took), ..self }
    }

    /// The same, with what was restored.
    #[must_use]
    pub fn revision(self, revision: u64) -> Self {
        Self { revision: Some(revision), ..self }
    }

    /// The same, with what was lost of what was acknowledged.
    #[must_use]
    pub fn lost(self, lost: usize, acknowledged: usize) -> Self {
        Self { lost: Some(Lost { lost, acknowledged }), ..self }
    }

    /// Puts the row into the table, as Markdown and as JSON.
    ///
    /// # Errors
    /// The table cannot be written.
    pub fn record(self) -> anyhow::Result<()> {
        static ROWS: Mutex<BTreeMap<&'static str, Row>> = Mutex::new(BTreeMap::new());
        // Held until the files are written, so both have the same rows.
        let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
        rows.insert(self.scenario, self);
        let rows: Vec<&Row> = rows.values().collect();
        let directory = directory();
        std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        for (name, text) in [("table.md", table::markdown(&rows)), ("table.json", serde_json::to_string_pretty(&rows)?)] {
            let path = directory.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

fn directory() -> PathBuf {
    let given = std::env::var_os(DIRECTORY).map(PathBuf::from);
    given.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/disasters")))
}
