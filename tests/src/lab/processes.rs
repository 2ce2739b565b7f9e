//! The processes that a lab caused: found by a mark in their environment, ended by handles that no other process can inherit.
//!
//! etcd outlives the agent that started it, by design, so a lab cannot know its processes by parentage. Every agent carries [`MARK`] in
//! its environment and its children inherit it, so a lab ends only processes that it caused itself.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that names the machine's directory.
pub const MARK: &str = "QUORATE_LAB_MACHINE";

/// A process that was started on a machine of a lab.
#[derive(Debug)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// The program, as it was called.
    pub program: PathBuf,
    handle: OwnedFd,
}

impl Process {
    /// Sends it a signal; one that has ended takes none.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Whether it has this file name.
    #[must_use]
    pub fn is(&self, program: &Path) -> bool {
        self.program.file_name() == program.file_name()
    }

    /// Returns when it has ended.
    pub async fn ended(&self) {
        while !self.has_ended(Duration::ZERO) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Blocks until it has ended, but no longer than this; says whether it has.
    fn has_ended(&self, at_most: Duration) -> bool {
        let Ok(limit) = Timespec::try_from(at_most) else { return false };
        poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&limit)).is_ok_and(|ready| ready > 0)
    }
}

/// The running processes of the machine with this directory, or of all machines below it.
#[must_use]
pub fn under(directory: &Path) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| marked(pid, directory)).collect()
}

/// Opens the process first and reads its mark second: if its number is given to another in between, the handle is stale and the
/// signal reaches nothing.
fn marked(pid: i32, directory: &Path) -> Option<Process> {
    let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::NONBLOCK).ok()?;
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = |entry: &[u8]| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"=").map(|path| PathBuf::from(OsStr::from_bytes(path)));
    let machine = environment.split(|byte| *byte == 0).find_map(value)?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let program = command.split(|byte| *byte == 0).next().filter(|program| !program.is_empty())?;
    machine.starts_with(directory).then(|| Process { pid, program: PathBuf::from(OsStr::from_bytes(program)), handle })
}

/// Kills every process of the machines under a directory and returns when none is left.
pub fn sweep(directory: &Path) {
    // A dying agent may have started an etcd a moment ago: look again until there is nothing.
    for _ in 0..20 {
        let found = under(directory);
        if found.is_empty() {
            return;
        }
        found.iter().for_each(|process| process.signal(Signal::KILL));
        for process in &found {
            process.has_ended(Duration::from_secs(2));
        }
    }
}
