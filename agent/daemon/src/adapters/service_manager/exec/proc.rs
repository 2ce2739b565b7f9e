//! Processes as `/proc` shows them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::adapters::service_manager::ServiceError;

/// A process, identified so that no later one can be mistaken for it: its number and its start time in clock ticks since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::adapters) struct ProcessId {
    pub(in crate::adapters) pid: i32,
    pub(super) started: u64,
}

/// The unit of times in `/proc`. `USER_HZ` has always been 100 on x86-64 and arm64; programs rely on it.
const TICKS_PER_SECOND: u64 = 100;

impl ProcessId {
    /// The process with this number, if there is one that has not exited.
    pub(super) fn of(pid: i32) -> Result<Option<Self>, ServiceError> {
        Ok(stat(pid)?.map(|started| Self { pid, started }))
    }

    /// Whether it runs, even if frozen. A zombie has exited.
    pub(super) fn is_alive(self) -> Result<bool, ServiceError> {
        Ok(stat(self.pid)? == Some(self.started))
    }

    /// How long it has been running.
    pub(super) fn age(self) -> Result<Duration, ServiceError> {
        let path = Path::new("/proc/uptime");
        let text = fs::read_to_string(path).map_err(|source| io(path, source))?;
        let seconds: f64 = text.split_whitespace().next().and_then(|t| t.parse().ok()).unwrap_or_default();
        let uptime = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Ok(uptime.saturating_sub(Duration::from_millis(self.started * 1000 / TICKS_PER_SECOND)))
    }

    /// Sends a signal, if it still runs.
    pub(super) fn signal(self, signal: Signal) -> Result<(), ServiceError> {
        let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.pid > 1) else { return Ok(()) };
        if !self.is_alive()? {
            return Ok(());
        }
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(ServiceError::Io { operation: "signal", path: process_dir(self.pid), source: error.into() }),
        }
    }
}

/// The first process for which `is_it` holds.
pub(in crate::adapters) fn find(is_it: impl Fn(i32) -> bool) -> Result<Option<ProcessId>, ServiceError> {
    let proc = Path::new("/proc");
    for entry in fs::read_dir(proc).map_err(|source| io(proc, source))? {
        let name = entry.map_err(|source| io(proc, source))?.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse().ok()) else { continue };
        if is_it(pid)
            && let Some(id) = ProcessId::of(pid)?
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The words of a NUL-separated file of a process; `None` if the process is gone or is another user's.
pub(in crate::adapters) fn words(pid: i32, file: &str) -> Option<Vec<Vec<u8>>> {
    let bytes = fs::read(process_dir(pid).join(file)).ok()?;
    let words: Vec<_> = bytes.split(|b| *b == 0).map(<[u8]>::to_vec).collect();
    Some(words)
}

/// When a process started, unless it is gone or a zombie.
fn stat(pid: i32) -> Result<Option<u64>, ServiceError> {
    let path = process_dir(pid).join("stat");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(parse_stat(&text)),
        // ESRCH: it exited between open and read.
        Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
            Ok(None)
        }
        Err(source) => Err(io(&path, source)),
    }
}

/// What a process has done since it started: one for each hundredth of a second of a processor, and one for each 64 KiB read or written. The latter is secret to
/// other users, and then not counted.
pub(in crate::adapters) fn work(pid: i32) -> Option<u64> {
    let ticks = parse_ticks(&fs::read_to_string(process_dir(pid).join("stat")).ok()?)?;
    let bytes = fs::read_to_string(process_dir(pid).join("io")).map_or(0, |text| parse_bytes(&text));
    Some(ticks * 100 / TICKS_PER_SECOND + (bytes >> 16))
}

/// Fields 14 and 15 of `stat`: user and system time.
fn parse_ticks(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()?.saturating_add(fields.next()?.parse().ok()?))
}

/// `rchar` and `wchar` of `io` count every read and write; `read_bytes` would miss what comes from the network or the page cache.
fn parse_bytes(text: &str) -> u64 {
    let counts = |line: &&str| line.starts_with("rchar: ") || line.starts_with("wchar: ");
    text.lines().filter(counts).filter_map(|line| line.split_once(' ')?.1.parse::<u64>().ok()).fold(0, u64::saturating_add)
}

/// Field 3 is the state, field 22 the start time; field 2, the name, may hold anything but ends with the last parenthesis.
fn parse_stat(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let ended = matches!(state, "Z" | "X" | "x");
    fields.nth(18)?.parse().ok().filter(|_| !ended)
}

pub(in crate::adapters) fn process_dir(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

fn io(path: &Path, source: std::io::Error) -> ServiceError {
    ServiceError::Io { operation: "read", path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_gives_the_start_time_unless_the_process_has_ended() {
        let line = |state| format!("42 (a) b) {state} 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 100 200\n");
        assert_eq!(parse_stat(&line("S")), Some(987_654));
        assert_eq!(parse_stat(&line("T")), Some(987_654));
        assert_eq!(parse_stat(&line("Z")), None);
        assert_eq!(parse_stat("42 (a"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn work_is_processor_time_and_what_is_read_and_written() {
        assert_eq!(parse_ticks("42 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 50 6 7 8 20 0 1 0 987654 100 200\n"), Some(56));
        assert_eq!(parse_ticks("42 (a"), None);
        assert_eq!(parse_bytes("rchar: 70000\nwchar: 65536\nsyscr: 9\nread_bytes: 5000000\n"), 135_536);
        assert_eq!(parse_bytes("rchar: much\n"), 0);
        let me = std::process::id().try_into().unwrap();
        let before = work(me).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        (0..64).for_each(|_| fs::write(file.path(), vec![7; 1 << 20]).unwrap());
        assert!(work(me).unwrap() >= before + 1024, "64 MiB were written");
    }

    #[test]
    fn this_process_is_alive_and_young_and_found() {
        let me = ProcessId::of(std::process::id().try_into().unwrap()).unwrap().unwrap();
        assert!(me.is_alive().unwrap());
        assert!(!ProcessId { started: me.started + 1, ..me }.is_alive().unwrap());
        assert!(me.age().unwrap() < Duration::from_secs(3600));
        assert_eq!(find(|pid| pid == me.pid).unwrap(), Some(me));
        assert_eq!(ProcessId::of(i32::MAX).unwrap(), None);
    }
}
