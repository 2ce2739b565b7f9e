//! The journal of a machine, read from outside: the evidence of what happened there, even when the machine is off.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::command::run;

/// An entry.
#[derive(Clone, Debug)]
pub struct Entry(Value);

impl Entry {
    /// A field of it, such as `QUORATE_PHASE`.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// What it says.
    #[must_use]
    pub fn message(&self) -> &str {
        self.field("MESSAGE")
    }

    /// The microseconds since 1970 when it was received.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.field("__REALTIME_TIMESTAMP").parse().unwrap_or_default()
    }
}

/// The entries that match, oldest first.
///
/// # Errors
/// The journal cannot be read.
pub fn read(root: &Path, matches: &[&str]) -> anyhow::Result<Vec<Entry>> {
    let text = journalctl(root, &[&["--output=json"], matches].concat())?;
    text.lines().map(|line| Ok(Entry(serde_json::from_str(line).with_context(|| format!("no journal entry: {line}"))?))).collect()
}

/// The same as an operator reads it.
///
/// # Errors
/// The journal cannot be read.
pub fn text(root: &Path, matches: &[&str]) -> anyhow::Result<String> {
    journalctl(root, &[&["--output=short-precise"], matches].concat())
}

fn journalctl(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let directory = format!("--directory={}", root.join("var/log/journal").display());
    run("journalctl", &[&[directory.as_str(), "--quiet", "--no-pager"], arguments].concat())
}
