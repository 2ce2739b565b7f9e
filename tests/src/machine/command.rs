//! Programs of the machine outside.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

/// Runs a program that takes no time, and returns what it printed.
pub(super) fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    checked(program, &output.with_context(|| format!("cannot run {program}"))?)
}

/// Runs a program that may take a while.
pub(super) async fn run_within<A: AsRef<OsStr>>(within: Duration, program: &str, arguments: &[A]) -> anyhow::Result<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let line = || arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ");
    let output = tokio::time::timeout(within, command.output()).await;
    let output = output.with_context(|| format!("`{program} {}` does not return", line()))?;
    checked(&format!("{program} {}", line()), &output.with_context(|| format!("cannot run {program}"))?)
}

fn checked(what: &str, output: &Output) -> anyhow::Result<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "`{what}`: {}: {out}{err}", output.status);
    Ok(out)
}
