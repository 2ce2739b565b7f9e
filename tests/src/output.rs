//! What the lab prints. A reader that has gone (`quorate-lab simulate | head`) is no reason to stop.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::Context;

/// Prints to standard output.
///
/// # Errors
/// It cannot be written, for another reason than that the reader has gone.
pub fn print(text: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes figures as JSON, or prints them where the path is `-`.
///
/// # Errors
/// They cannot be written.
pub fn json(path: &Path, figures: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(figures)? + "\n";
    if path == Path::new("-") {
        return print(text);
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
