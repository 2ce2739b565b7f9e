//! Starting the process.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_core::plan::Start;
use rustix::fs::{FlockOperation, flock};
use tokio::process::{Child, Command};

use super::proc::ProcessId;
use super::record::Record;
use super::{Exec, Known, Running};
use crate::adapters::host::{HostError, atomic};
use crate::adapters::service_manager::{ServiceError, clean_environment, ended, last_words};

/// At a start, a longer log is renamed to `<log>.old`: nothing else trims it.
const LOG_LIMIT: u64 = 16 << 20;

/// The lock that is held while a process is searched for and started. The child does not inherit it.
pub(super) fn lock(run_dir: &Path, name: &str) -> Result<File, ServiceError> {
    atomic::create_private_dir(run_dir)?;
    let path = run_dir.join(format!("{name}.lock"));
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|source| io("open", &path, source))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| ServiceError::Busy { lock: path })?;
    Ok(file)
}

/// Starts the program, records it, and waits for its exit.
pub(super) fn spawn(exec: &Exec, how: &Start, arguments: &[OsString]) -> Result<(), ServiceError> {
    let begun = length(&exec.paths.log_file);
    register(exec, how, child(exec, arguments, false)?, begun)
}

/// Runs the program until it exits, or kills it at the limit; the inner error is why it failed.
pub(super) async fn run_to_end(exec: &Exec, arguments: &[OsString], limit: Duration) -> Result<Result<(), String>, ServiceError> {
    let begun = length(&exec.paths.log_file);
    let mut child = child(exec, arguments, true)?;
    let Ok(ended) = tokio::time::timeout(limit, child.wait()).await else {
        child.kill().await.map_err(|source| io("end", exec.program.binary(), source))?;
        return Ok(Err(format!("it did not end within {limit:?}, and was killed")));
    };
    let status = ended.map_err(|source| io("wait for", exec.program.binary(), source))?;
    let why = || format!("{status}: {}", last_words::of(&tail(&exec.paths.log_file, begun)));
    Ok(if status.success() { Ok(()) } else { Err(why()) })
}

fn child(exec: &Exec, arguments: &[OsString], dies_with_us: bool) -> Result<Child, ServiceError> {
    let binary = exec.program.binary();
    let log = open_log(&exec.paths.log_file)?;
    let mut command = Command::new(binary);
    clean_environment(&mut command)
        .envs(exec.program.environment())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(|source| io("share", &exec.paths.log_file, source))?)
        .stderr(log)
        // Its own group: neither Ctrl-C in the agent's terminal nor the agent's exit reaches it.
        .process_group(0)
        .kill_on_drop(dies_with_us);
    command.spawn().map_err(|source| io("start", binary, source))
}

fn register(exec: &Exec, how: &Start, child: Child, begun: u64) -> Result<(), ServiceError> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let Some(id) = pid.map(ProcessId::of).transpose()?.flatten() else {
        exec.known().last_exit = Some("it ended as soon as it was started".to_owned());
        watch(exec, child, begun);
        return Ok(());
    };
    let loopback_only = matches!(how, Start::Found { .. } | Start::Resume { loopback_only: true, .. } | Start::Alone);
    *exec.known() =
        Known { searched: true, running: Some(Running { id, since: exec.clock.now(), loopback_only }), last_exit: None, ended: None };
    watch(exec, child, begun);
    Record::new(id, exec.program.data_dir())?.write(&exec.record())
}

/// Reaps the child when it exits, and remembers how it exited. What it wrote is in its log from `begun` on.
fn watch(exec: &Exec, mut child: Child, begun: u64) {
    let (known, clock, log): (Arc<Mutex<Known>>, _, _) = (exec.known.clone(), exec.clock, exec.paths.log_file.clone());
    tokio::spawn(async move {
        let pid = child.id();
        let status = child.wait().await.map_or_else(|e| e.to_string(), |status| status.to_string());
        let at = jiff::Timestamp::from_millisecond(clock.now().0.try_into().unwrap_or_default()).unwrap_or_default();
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        // A later start may have been faster than this task.
        let is_current = known.running.as_ref().is_none_or(|r| u32::try_from(r.id.pid).ok() == pid);
        if is_current {
            known.running = None;
            let end = tail(&log, begun);
            known.ended = ended::cause(&end);
            known.last_exit = Some(format!("{status} at {at:.0}: {}", last_words::of(&end)));
        }
    });
}

fn open_log(path: &Path) -> Result<File, ServiceError> {
    atomic::create_private_dir(atomic::parent(path))?;
    if std::fs::metadata(path).is_ok_and(|m| m.len() > LOG_LIMIT) {
        std::fs::rename(path, atomic::with_suffix(path, ".old")).map_err(HostError::io("rename", path))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|source| io("open", path, source))
}

/// How much is in the log before a start; nothing if the log is then moved out of the way ([`open_log`]).
fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map(|m| m.len()).ok().filter(|length| *length <= LOG_LIMIT).unwrap_or_default()
}

/// The end of what a program has written to its log since it was `begun` bytes long. A stack trace takes a few KiB.
pub(super) fn tail(path: &Path, begun: u64) -> String {
    const TAIL: u64 = 64 << 10;
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL).max(begun)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

fn io(operation: &'static str, path: &Path, source: std::io::Error) -> ServiceError {
    ServiceError::Io { operation, path: path.to_owned(), source }
}
