//! What a process has, and had at most, in memory: from `/proc`.

use std::fs;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Child;
use tokio::time::interval;

/// Between two looks at a command, whose peak cannot be asked for once it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What it has now, in KiB.
///
/// # Errors
/// It does not run.
pub(super) fn now(pid: i32) -> anyhow::Result<u64> {
    field(pid, "VmRSS:")
}

/// What it had at most since [`forget_peak`], in KiB.
///
/// # Errors
/// It does not run.
pub(super) fn peak(pid: i32) -> anyhow::Result<u64> {
    field(pid, "VmHWM:")
}

/// The peak is what it has now: "5" into `clear_refs` (proc(5)).
///
/// # Errors
/// It does not run, or is another user's.
pub(super) fn forget_peak(pid: i32) -> anyhow::Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").with_context(|| format!("cannot write {path}"))
}

/// Waits for a command, and returns how it ended and the highest peak that was seen.
///
/// # Errors
/// It cannot be waited for.
pub(super) async fn until_ended(child: &mut Child) -> anyhow::Result<(ExitStatus, u64)> {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).context("the command has ended already")?;
    let (mut looks, mut highest) = (interval(LOOK), 0);
    loop {
        tokio::select! {
            status = child.wait() => return Ok((status?, highest)),
            // Between its end and the answer there is nothing to read.
            _ = looks.tick() => highest = highest.max(peak(pid).unwrap_or(0)),
        }
    }
}

fn field(pid: i32, name: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("{path} does not say {name}"))?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{path} says {name} {line}"))
}
