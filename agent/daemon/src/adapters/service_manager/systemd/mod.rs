//! The program as a unit of systemd: systemd runs it, but only the agent decides when.
//!
//! What the unit reads is written again before each start. A member that has left is kept down by a file that the unit's `ConditionPathExists=!` names, and not
//! by masking, which would remain when the package is removed.

mod bus;
mod journal;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use quorate_core::observation::{Process, TakenPort};
use quorate_core::plan::Start;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;
use rustix::process::Signal;

use super::boot_mark::BootMark;
use super::exec::proc;
use super::{Given, Preflight, ProcessState, Program, ServiceError, ServiceManager, ended, last_words, remove};
use crate::adapters::host::atomic;
use crate::clock::Clock;
use crate::systemd::Bus;
use bus::{Unit, Units};

/// The unit and the paths that it uses.
#[derive(Clone, Debug)]
pub struct SystemdPaths {
    /// The unit, such as `quorate-etcd.service`.
    pub unit: String,
    /// For the note that it has run since the machine booted.
    pub run_dir: PathBuf,
    /// The unit's `ConditionPathExists=!` names `left` in here.
    pub state_dir: PathBuf,
}

/// Runs the member as a unit.
#[derive(Debug)]
pub struct Systemd {
    paths: SystemdPaths,
    program: Arc<dyn Program>,
    clock: Clock,
    /// When this agent began.
    began: Timestamp,
    units: Units,
    /// The unit in which a program restores a snapshot itself.
    restorer: Units,
    /// When the last process was started that failed, and what it wrote.
    ended: Mutex<Option<(Duration, Arc<str>)>>,
}

const POLL: Duration = Duration::from_millis(50);

/// The longest that systemd may take to run the start job's first process; the program's own readiness comes later.
const START_LIMIT: Duration = Duration::from_secs(15);

/// After SIGKILL only the kernel can still be busy with it.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// The file with which the member's unit does not start: its `ConditionPathExists=!` names it.
#[must_use]
pub fn left(state_dir: &Path) -> PathBuf {
    state_dir.join("left")
}

/// What the unit's last process wrote, if it failed.
pub(super) async fn log_of_failed(bus: &Bus, unit: &str) -> Option<String> {
    let seen = Units::new(bus.clone(), unit.to_owned()).look().await.ok().filter(Unit::ended_badly)?;
    Some(journal::of(unit, seen.started_at).await)
}

impl Systemd {
    /// Nothing is read or started yet.
    #[must_use]
    pub fn new(paths: SystemdPaths, program: Arc<dyn Program>, bus: Bus, clock: Clock) -> Self {
        let units = Units::new(bus.clone(), paths.unit.clone());
        let restorer = Units::new(bus, restore::unit(program.name()));
        let began = clock.now();
        Self { paths, program, clock, began, units, restorer, ended: Mutex::default() }
    }

    /// What the unit's last process wrote, if it failed. The journal is asked once for each.
    async fn log_of(&self, unit: &Unit) -> Option<Arc<str>> {
        let started = unit.started.filter(|_| unit.ended_badly())?;
        let known = self.ended().clone().filter(|(of, _)| *of == started);
        if let Some((_, log)) = known {
            return Some(log);
        }
        let log: Arc<str> = journal::of(&self.paths.unit, unit.started_at).await.into();
        *self.ended() = Some((started, Arc::clone(&log)));
        Some(log)
    }

    /// Whether the last process was started since this agent began. What kept an earlier one from starting may be mended, and one more start tells.
    fn is_of_this_agent(&self, unit: &Unit) -> bool {
        unit.started.is_some_and(|started| self.clock.at_monotonic(started) >= self.began)
    }

    fn ended(&self) -> MutexGuard<'_, Option<(Duration, Arc<str>)>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self, unit: &Unit, log: Option<&str>) -> Result<Process, ServiceError> {
        if !unit.runs() {
            let words = log.filter(|log| !log.trim().is_empty()).map(last_words::of);
            return Ok(Process::Stopped { last_exit: unit.last_exit(words.as_deref()) });
        }
        let since = unit.started.map_or_else(|| self.clock.now(), |started| self.clock.at_monotonic(started));
        Ok(Process::Running { since, loopback_only: self.program.unit_is_on_loopback()? })
    }

    /// Polls the unit until `done` or the limit, and returns its last state.
    async fn wait_until(&self, limit: Duration, done: impl Fn(&Unit) -> bool) -> Result<Unit, ServiceError> {
        let mut waited = Duration::ZERO;
        loop {
            let unit = self.units.look().await?;
            if done(&unit) || waited >= limit {
                return Ok(unit);
            }
            tokio::time::sleep(POLL).await;
            waited += POLL;
        }
    }
}

#[async_trait]
impl ServiceManager for Systemd {
    async fn state(&self) -> Result<ProcessState, ServiceError> {
        let unit = self.units.look().await?;
        let ran_this_boot = BootMark::read(&self.paths.run_dir)?.is_some_and(|mark| mark.holds_for(self.program.data_dir()));
        let work = proc::work(unit.main_pid.cast_signed()).filter(|_| unit.runs() && self.program.is_etcd_alone());
        let log = self.log_of(&unit).await;
        let ended = log.as_deref().filter(|_| self.is_of_this_agent(&unit)).and_then(ended::cause);
        Ok(ProcessState { process: self.process(&unit, log.as_deref())?, ran_this_boot, work, ended })
    }

    async fn preflight(&self, now: Timestamp) -> Option<Result<Preflight, ServiceError>> {
        self.program.preflight(Given::AsEnvironment, now).await
    }

    fn taken_ports(&self) -> Vec<TakenPort> {
        self.program.taken_ports()
    }

    /// Never starts a second process on the same data, because a unit runs only once.
    async fn start(&self, how: &Start, transport: Transport) -> Result<(), ServiceError> {
        if self.units.look().await?.runs() {
            return Ok(());
        }
        self.program.for_unit(how, transport).await?;
        remove(&left(&self.paths.state_dir))?;
        BootMark::of(self.program.data_dir())?.write(&self.paths.run_dir)?;
        self.units.start().await?;
        let unit = self.wait_until(START_LIMIT, |unit| unit.runs() || unit.has_failed()).await?;
        if unit.runs() {
            return Ok(());
        }
        let words = self.log_of(&unit).await.filter(|log| !log.trim().is_empty()).map(|log| last_words::of(&log));
        let why = unit.last_exit(words.as_deref()).unwrap_or_else(|| format!("systemd has not started it within {START_LIMIT:?}"));
        Err(ServiceError::NotStarted { unit: self.paths.unit.clone(), why })
    }

    /// Runs the restore as a unit of its own: the agent's unit lacks the rights that the program needs.
    async fn restore(&self, snapshot: &Path, limit: Duration) -> Result<(), ServiceError> {
        let arguments = self.program.for_restore(snapshot).await?;
        let file = self.paths.run_dir.join(format!("{}-restore.env", self.program.name()));
        atomic::write(&file, restore::environment(self.program.binary(), &arguments)?.as_bytes())?;
        let failed = |why| ServiceError::NotRestored { program: self.program.name(), snapshot: snapshot.to_owned(), why };
        let done = restore::run(&self.restorer, limit).await;
        remove(&file)?;
        done?.map_err(failed)
    }

    async fn keep_down(&self) -> Result<(), ServiceError> {
        self.program.forbid_unit()?;
        let message = b"This node's member has left. The agent removes this file when it joins again.\n";
        Ok(atomic::write(&left(&self.paths.state_dir), message)?)
    }

    async fn stop(&self, grace: Duration) -> Result<(), ServiceError> {
        self.program.forbid_unit()?;
        restore::end(&self.restorer).await?;
        if !self.units.look().await?.runs() {
            return Ok(());
        }
        self.units.stop().await?;
        if !self.wait_until(grace, |unit| !unit.runs()).await?.runs() {
            return Ok(());
        }
        self.units.kill(Signal::KILL).await?;
        let unit = self.wait_until(AFTER_KILL, |unit| !unit.runs()).await?;
        if unit.runs() {
            return Err(ServiceError::Unkillable { pid: unit.main_pid.cast_signed(), waited: AFTER_KILL });
        }
        Ok(())
    }
}
