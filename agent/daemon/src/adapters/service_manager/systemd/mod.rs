//! etcd as a unit of systemd: systemd runs it, and the agent alone says when.
//!
//! The unit takes every flag from its environment file, which is written anew before each start: with a configuration file etcd would
//! ignore flags and environment alike (etcd `embed.ConfigFromFile`). A member that has left is kept down by a file that the unit's
//! `ConditionPathExists=!` names, and not by masking, which would be left behind when the package is removed.

mod bus;
mod environment;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use quorate_core::observation::Process;
use quorate_core::plan::Start;
use rustix::process::Signal;
use tokio::sync::OnceCell;

use super::boot_mark::BootMark;
use super::{EtcdVersion, MemberSpec, ProcessState, ServiceError, ServiceManager, arguments};
use crate::adapters::host::{DataDir, HostError, atomic};
use crate::clock::Clock;
use crate::systemd::Bus;
use bus::{Unit, Units};

/// Where things are.
#[derive(Clone, Debug)]
pub struct SystemdPaths {
    /// The unit that runs etcd, such as `quorate-etcd.service`.
    pub unit: String,
    /// The etcd binary that the unit runs; asked for its version alone.
    pub etcd: PathBuf,
    /// The unit's `EnvironmentFile=` is `etcd.env` in here.
    pub run_dir: PathBuf,
    /// The unit's `ConditionPathExists=!` names `left` in here.
    pub state_dir: PathBuf,
}

/// Runs the member as a unit.
#[derive(Debug)]
pub struct Systemd {
    paths: SystemdPaths,
    spec: MemberSpec,
    clock: Clock,
    units: Units,
    version: OnceCell<EtcdVersion>,
}

const POLL: Duration = Duration::from_millis(50);

/// systemd takes so long at most to run the start job's first process; what it waits for is etcd's own readiness, later.
const START_LIMIT: Duration = Duration::from_secs(15);

/// After SIGKILL only the kernel can still be busy with it.
const AFTER_KILL: Duration = Duration::from_secs(10);

impl Systemd {
    /// Nothing is read or started yet.
    #[must_use]
    pub fn new(paths: SystemdPaths, spec: MemberSpec, bus: Bus, clock: Clock) -> Self {
        let units = Units::new(bus, paths.unit.clone());
        Self { paths, spec, clock, units, version: OnceCell::new() }
    }

    fn environment_file(&self) -> PathBuf {
        self.paths.run_dir.join("etcd.env")
    }

    fn left(&self) -> PathBuf {
        self.paths.state_dir.join("left")
    }

    fn serves_loopback_only(&self) -> Result<bool, ServiceError> {
        let founding = arguments::founding_url(self.spec.founding_address);
        Ok(read(&self.environment_file())?.is_some_and(|text| environment::listens_for_clients_on(&text, &founding)))
    }

    fn process(&self, unit: &Unit) -> Result<Process, ServiceError> {
        if !unit.runs() {
            return Ok(Process::Stopped { last_exit: unit.last_exit() });
        }
        let since = unit.started.map_or_else(|| self.clock.now(), |started| self.clock.at_monotonic(started));
        Ok(Process::Running { since, loopback_only: self.serves_loopback_only()? })
    }

    async fn render(&self, how: &Start) -> Result<(), ServiceError> {
        let version = *self.version.get_or_try_init(|| EtcdVersion::ask(&self.paths.etcd)).await?;
        atomic::create_private_dir(&self.spec.data_dir)?;
        let token = DataDir::new(&self.spec.data_dir).label()?.and_then(|label| label.token);
        let flags = arguments::arguments(&self.spec, how, version, token.as_deref());
        let text = environment::render(&flags, &self.spec.environment, super::UNSUPPORTED_ARCH);
        Ok(atomic::write(&self.environment_file(), text.as_bytes())?)
    }

    /// Polls the unit until `done` or the limit; the last look.
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
        let ran_this_boot = BootMark::read(&self.paths.run_dir)?.is_some_and(|mark| mark.holds_for(&self.spec.data_dir));
        Ok(ProcessState { process: self.process(&unit)?, ran_this_boot })
    }

    /// Guarantees: never a second etcd on the same data, because a unit runs once.
    async fn start(&self, how: &Start) -> Result<(), ServiceError> {
        if self.units.look().await?.runs() {
            return Ok(());
        }
        self.render(how).await?;
        remove(&self.left())?;
        BootMark::of(&self.spec.data_dir)?.write(&self.paths.run_dir)?;
        self.units.start().await?;
        let unit = self.wait_until(START_LIMIT, |unit| unit.runs() || unit.has_failed()).await?;
        if unit.runs() {
            return Ok(());
        }
        let why = unit.last_exit().unwrap_or_else(|| format!("systemd has not started it within {START_LIMIT:?}"));
        Err(ServiceError::NotStarted { unit: self.paths.unit.clone(), why })
    }

    async fn keep_down(&self) -> Result<(), ServiceError> {
        let says = b"This node's etcd member has left. The agent removes this file when it joins again.\n";
        Ok(atomic::write(&self.left(), says)?)
    }

    async fn stop(&self, grace: Duration) -> Result<(), ServiceError> {
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

fn read(path: &Path) -> Result<Option<String>, ServiceError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ServiceError::Io { operation: "read", path: path.to_owned(), source }),
    }
}

fn remove(path: &Path) -> Result<(), HostError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(HostError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
