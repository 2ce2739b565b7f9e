//! What a program says when asked for its version.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{ServiceError, clean_environment};

/// A program that hangs must not block its caller.
const LIMIT: Duration = Duration::from_secs(10);

/// What `program --version` writes. It is run without a shell.
///
/// # Errors
/// It cannot be run, or did not exit in time.
pub async fn ask(program: &Path) -> Result<String, ServiceError> {
    ask_with(program, &[]).await.map(|said| said.stdout)
}

/// What a program said, and how it exited.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// None if a signal ended it.
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    /// Enough of the output to recognise it.
    pub(super) fn beginning(&self) -> String {
        let text = if self.stdout.trim().is_empty() { &self.stderr } else { &self.stdout };
        text.chars().take(200).collect()
    }
}

/// The same with these arguments before it.
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
