//! What a program says of itself when it is asked for its version.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{ServiceError, clean_environment};

/// A program that hangs must not hang whoever asks.
const LIMIT: Duration = Duration::from_secs(10);

/// What `program --version` writes, in its own words. It is run as it is, without a shell.
///
/// # Errors
/// It cannot be run, or has not ended in time.
pub async fn ask(program: &Path) -> Result<String, ServiceError> {
    ask_with(program, &[]).await.map(|said| said.stdout)
}

/// What a program said, and how it ended.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// None if a signal ended it.
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    /// Enough of it to see what it is.
    pub(super) fn beginning(&self) -> String {
        let text = if self.stdout.trim().is_empty() { &self.stderr } else { &self.stdout };
        text.chars().take(200).collect()
    }
}

/// The same after these arguments.
pub(super) async fn ask_with(program: &Path, arguments: &[OsString]) -> Result<Said, ServiceError> {
    let mut command = Command::new(program);
    clean_environment(&mut command).args(arguments).arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.map_err(|_| no_version(program, String::new()))?;
    let output = output.map_err(|source| ServiceError::Io { operation: "run", path: program.to_owned(), source })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

pub(super) fn no_version(program: &Path, said: String) -> ServiceError {
    ServiceError::NoVersion { binary: program.to_owned(), limit: LIMIT, said }
}
