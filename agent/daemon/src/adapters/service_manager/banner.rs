//! What a program says of itself when it is asked for its version.

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
    let mut command = Command::new(program);
    clean_environment(&mut command).arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.map_err(|_| no_version(program, String::new()))?;
    let output = output.map_err(|source| ServiceError::Io { operation: "run", path: program.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(super) fn no_version(program: &Path, said: String) -> ServiceError {
    ServiceError::NoVersion { binary: program.to_owned(), limit: LIMIT, said }
}
