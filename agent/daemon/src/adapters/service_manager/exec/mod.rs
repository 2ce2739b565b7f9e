//! The program as a child that outlives the agent: a restarted agent finds the same process and adopts it.
//!
//! Under systemd this needs `KillMode=process` in the agent's unit, because the child stays in its control group.

mod launch;
pub(in crate::adapters) mod proc;
mod record;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use quorate_core::etcd_version::StartRefusal;
use quorate_core::observation::{Process, TakenPort};
use quorate_core::plan::Start;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;
use rustix::process::Signal;

use super::{Given, Preflight, ProcessState, Program, ServiceError, ServiceManager};
use crate::clock::Clock;
use proc::ProcessId;
use record::Record;

/// The paths that it uses.
#[derive(Clone, Debug)]
pub struct ExecPaths {
    /// For the record of the process and the lock of a start; a reboot may empty it or not.
    pub run_dir: PathBuf,
    /// What the program writes is appended here.
    pub log_file: PathBuf,
}

/// Runs the member as a child of its own process group.
#[derive(Debug)]
pub struct Exec {
    paths: ExecPaths,
    program: Arc<dyn Program>,
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

/// What this agent knows of the process.
#[derive(Debug, Default)]
struct Known {
    /// Whether the record has been read and the processes searched once.
    searched: bool,
    running: Option<Running>,
    last_exit: Option<String>,
    /// The reason for its exit, if another start would meet it again.
    ended: Option<StartRefusal>,
}

/// The end of a program's log, whenever it was written.
pub(super) fn end_of(log: &Path) -> String {
    launch::tail(log, 0)
}

#[derive(Clone, Debug)]
struct Running {
    id: ProcessId,
    since: Timestamp,
    loopback_only: bool,
}

/// How often a process that was told to exit is checked.
const POLL: Duration = Duration::from_millis(20);

/// After SIGKILL only the kernel can still be busy with it.
const AFTER_KILL: Duration = Duration::from_secs(10);

impl Exec {
    /// Nothing is read or started yet.
    #[must_use]
    pub fn new(paths: ExecPaths, program: Arc<dyn Program>, clock: Clock) -> Self {
        Self { paths, program, clock, known: Arc::default() }
    }

    /// The live process, started or adopted; a dead one is forgotten.
    fn running(&self) -> Result<Option<Running>, ServiceError> {
        if !self.known().searched {
            let found = self.search()?;
            let mut known = self.known();
            // The known process may have exited meanwhile, and another been started on the same data.
            let new = found.filter(|f| known.running.as_ref().is_none_or(|r| r.id != f.id));
            known.running = new.or(known.running.take());
            known.searched = true;
        }
        let mut known = self.known();
        if let Some(running) = &known.running {
            if running.id.is_alive()? {
                return Ok(known.running.clone());
            }
            known.running = None;
            known.last_exit.get_or_insert_with(|| "it ended; how is not known".to_owned());
        }
        Ok(None)
    }

    /// The process that the record names, if it is still that one; otherwise any that runs on this data.
    fn search(&self) -> Result<Option<Running>, ServiceError> {
        let recorded = Record::read(&self.record())?.filter(|r| r.mark.is_of_this_boot()).map(|r| r.process);
        let adopted = recorded.filter(|id| id.is_alive().unwrap_or(false) && self.program.is_process(id.pid));
        let found = match adopted {
            Some(id) => Some(id),
            None => proc::find(|pid| self.program.is_process(pid))?,
        };
        found.map(|id| self.adopt(id)).transpose()
    }

    fn adopt(&self, id: ProcessId) -> Result<Running, ServiceError> {
        let loopback_only = self.program.child_is_on_loopback(id.pid)?;
        let since = self.clock.now() - id.age()?;
        Ok(Running { id, since, loopback_only })
    }

    async fn wait_until_gone(&self, id: ProcessId, limit: Duration) -> Result<bool, ServiceError> {
        let gone = async {
            while id.is_alive()? {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        tokio::time::timeout(limit, gone).await.map_or(Ok(false), |result: Result<(), ServiceError>| result.map(|()| true))
    }

    /// The path of the record of the process that was started last.
    fn record(&self) -> PathBuf {
        self.paths.run_dir.join(format!("{}.json", self.program.name()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ServiceManager for Exec {
    async fn state(&self) -> Result<ProcessState, ServiceError> {
        let running = self.running()?;
        let work = running.as_ref().filter(|_| self.program.is_etcd_alone()).and_then(|running| proc::work(running.id.pid));
        let process = match running {
            Some(running) => Process::Running { since: running.since, loopback_only: running.loopback_only },
            None => Process::Stopped { last_exit: self.known().last_exit.clone() },
        };
        let ran_this_boot = Record::read(&self.record())?.is_some_and(|r| r.mark.holds_for(self.program.data_dir()));
        let ended = self.known().ended.filter(|_| matches!(process, Process::Stopped { .. }));
        Ok(ProcessState { process, ran_this_boot, work, ended })
    }

    async fn preflight(&self, now: Timestamp) -> Option<Result<Preflight, ServiceError>> {
        self.program.preflight(Given::AsArguments, now).await
    }

    fn taken_ports(&self) -> Vec<TakenPort> {
        self.program.taken_ports()
    }

    /// Never starts a second process on the same data. Under a lock on `run_dir`, it first searches all processes for one, and adopts it if found.
    async fn start(&self, how: &Start, transport: Transport) -> Result<(), ServiceError> {
        let _lock = launch::lock(&self.paths.run_dir, self.program.name())?;
        self.known().searched = false;
        if self.running()?.is_some() {
            return Ok(());
        }
        let arguments = self.program.for_child(how, transport).await?;
        launch::spawn(self, how, &arguments)
    }

    async fn restore(&self, snapshot: &Path, limit: Duration) -> Result<(), ServiceError> {
        let _lock = launch::lock(&self.paths.run_dir, self.program.name())?;
        let arguments = self.program.for_restore(snapshot).await?;
        let failed = |why| ServiceError::NotRestored { program: self.program.name(), snapshot: snapshot.to_owned(), why };
        launch::run_to_end(self, &arguments, limit).await?.map_err(failed)
    }

    /// Nothing to do: only the agent starts it.
    async fn keep_down(&self) -> Result<(), ServiceError> {
        Ok(())
    }

    async fn stop(&self, grace: Duration) -> Result<(), ServiceError> {
        let Some(Running { id, .. }) = self.running()? else { return Ok(()) };
        id.signal(Signal::TERM)?;
        // A frozen process does not react to SIGTERM, but SIGKILL still ends it.
        if !self.wait_until_gone(id, grace).await? {
            id.signal(Signal::KILL)?;
            if !self.wait_until_gone(id, AFTER_KILL).await? {
                return Err(ServiceError::Unkillable { pid: id.pid, waited: AFTER_KILL });
            }
        }
        self.running().map(|_| ())
    }
}
