//! Processes as `/proc` shows them.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::adapters::service_manager::ServiceError;

/// A process that no later one can be mistaken for: its number and when it started, in clock ticks since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessId {
    pub(super) pid: i32,
    pub(super) started: u64,
}

/// What `/proc` counts times in. `USER_HZ` has been 100 on x86-64 and arm64 for ever; programs rely on it.
const TICKS_PER_SECOND: u64 = 100;

impl ProcessId {
    /// The process with this number, if there is one that has not ended.
    pub(super) fn of(pid: i32) -> Result<Option<Self>, ServiceError> {
        Ok(stat(pid)?.map(|started| Self { pid, started }))
    }

    /// Whether it runs, be it frozen. A zombie has ended.
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

/// The etcd that runs on `data_dir`, whoever started it; `binary` is what ours is called.
pub(super) fn find(data_dir: &Path, binary: &Path) -> Result<Option<ProcessId>, ServiceError> {
    let proc = Path::new("/proc");
    for entry in fs::read_dir(proc).map_err(|source| io(proc, source))? {
        let name = entry.map_err(|source| io(proc, source))?.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse().ok()) else { continue };
        if is_server(pid, binary)
            && runs_on(pid, data_dir)
            && let Some(id) = ProcessId::of(pid)?
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// How a process was started, as the kernel keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Its number.
    pub pid: i32,
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// Its environment, `NAME=value`; `None` where it is not ours to read.
    pub environment: Option<Vec<String>>,
}

/// How the etcd that runs on `data_dir` was started, if one does.
///
/// # Errors
/// `/proc` cannot be read.
pub fn started(data_dir: &Path, binary: &Path) -> Result<Option<CommandLine>, ServiceError> {
    let texts = |words: Vec<Vec<u8>>| words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>();
    let found = find(data_dir, binary)?;
    Ok(found.map(|ProcessId { pid, .. }| CommandLine {
        pid,
        arguments: words(pid, "cmdline").map(texts).unwrap_or_default(),
        environment: words(pid, "environ").map(texts),
    }))
}

/// Whether this process names `data_dir` as its data directory, on its command line or in its environment.
pub(super) fn runs_on(pid: i32, data_dir: &Path) -> bool {
    words(pid, "cmdline").and_then(|line| data_dir_of(pid, &line)).is_some_and(|found| is_same(&found, data_dir))
}

/// Whether it is an etcd server by its name. The tools beside etcd take a `--data-dir` too.
fn is_server(pid: i32, binary: &Path) -> bool {
    let Some(program) = words(pid, "cmdline").and_then(|line| line.into_iter().next()) else { return false };
    let name = Path::new(OsStr::from_bytes(&program)).file_name().unwrap_or_default();
    let is_tool = name == "etcdctl" || name == "etcdutl";
    Some(name) == binary.file_name() || (name.as_bytes().starts_with(b"etcd") && !is_tool)
}

/// Whether its command line lets it listen for clients at `url` and nowhere else.
pub(super) fn serves_only(pid: i32, url: &str) -> bool {
    words(pid, "cmdline").and_then(|line| flag(&line, "listen-client-urls")) == Some(url.as_bytes().to_vec())
}

/// A flag wins over the environment, which only its owner and root can read.
fn data_dir_of(pid: i32, arguments: &[Vec<u8>]) -> Option<PathBuf> {
    let from_environment = || words(pid, "environ")?.iter().find_map(|w| w.strip_prefix(b"ETCD_DATA_DIR=").map(<[u8]>::to_vec));
    let bytes = flag(arguments, "data-dir").or_else(from_environment)?;
    let path = PathBuf::from(OsStr::from_bytes(&bytes));
    let base = fs::read_link(process_dir(pid).join("cwd")).unwrap_or_default();
    Some(base.join(path))
}

/// The last value of a flag in any of Go's four spellings.
fn flag(arguments: &[Vec<u8>], name: &str) -> Option<Vec<u8>> {
    let mut found = None;
    for (index, argument) in arguments.iter().enumerate() {
        let Some(text) = argument.strip_prefix(b"--").or_else(|| argument.strip_prefix(b"-")) else { continue };
        let Some(rest) = text.strip_prefix(name.as_bytes()) else { continue };
        match rest.split_first() {
            None => found = arguments.get(index + 1).cloned().or(found),
            Some((b'=', value)) => found = Some(value.to_vec()),
            Some(_) => {}
        }
    }
    found
}

fn is_same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    a == b || real(a) == real(b)
}

/// The words of a NUL-separated file of a process; `None` if the process is gone or is another user's.
fn words(pid: i32, file: &str) -> Option<Vec<Vec<u8>>> {
    let bytes = fs::read(process_dir(pid).join(file)).ok()?;
    let words: Vec<_> = bytes.split(|b| *b == 0).map(<[u8]>::to_vec).collect();
    Some(words)
}

/// When a process started, unless it is gone or a zombie.
fn stat(pid: i32) -> Result<Option<u64>, ServiceError> {
    let path = process_dir(pid).join("stat");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(parse_stat(&text)),
        // ESRCH: it ended between open and read.
        Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
            Ok(None)
        }
        Err(source) => Err(io(&path, source)),
    }
}

/// Field 3 is the state, field 22 the start time; field 2, the name, may hold anything but ends with the last parenthesis.
fn parse_stat(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let ended = matches!(state, "Z" | "X" | "x");
    fields.nth(18)?.parse().ok().filter(|_| !ended)
}

fn process_dir(pid: i32) -> PathBuf {
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
    fn flags_are_read_in_every_spelling_and_the_last_counts() {
        let flag_of = |words: &[&str]| flag(&words.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>(), "data-dir");
        assert_eq!(flag_of(&["--data-dir", "/a"]), Some(b"/a".to_vec()));
        assert_eq!(flag_of(&["-data-dir=/a", "--data-dir=/b"]), Some(b"/b".to_vec()));
        assert_eq!(flag_of(&["--data-dir-too=/a", "x"]), None);
    }

    #[test]
    fn this_process_is_alive_and_young_and_no_etcd() {
        let me = ProcessId::of(std::process::id().try_into().unwrap()).unwrap().unwrap();
        assert!(me.is_alive().unwrap());
        assert!(!ProcessId { started: me.started + 1, ..me }.is_alive().unwrap());
        assert!(me.age().unwrap() < Duration::from_secs(3600));
        assert!(!runs_on(me.pid, Path::new("/")) && !is_server(me.pid, Path::new("/usr/bin/etcd")));
        assert_eq!(ProcessId::of(i32::MAX).unwrap(), None);
    }
}
