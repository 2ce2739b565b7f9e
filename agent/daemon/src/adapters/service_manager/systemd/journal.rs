//! What a unit's last process wrote, from the journal: its output goes nowhere else.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::adapters::service_manager::clean_environment;

/// A journal that is slow must not hold up the agent's loop for long; it is asked once for each process that ended.
const LIMIT: Duration = Duration::from_secs(3);
/// A stack trace is longer, and stands after the line that says why.
const LINES: &str = "--lines=400";

/// The last lines of `unit` since `started`, in microseconds of the wall clock. Empty where the journal cannot be read.
pub(super) async fn of(unit: &str, started: u64) -> String {
    let since = format!("--since=@{}", started / 1_000_000);
    let mut command = Command::new("journalctl");
    clean_environment(&mut command)
        .args(["--quiet", "--no-pager", "--output=cat", LINES, &since, "--unit", unit])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match tokio::time::timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => String::new(),
    }
}
