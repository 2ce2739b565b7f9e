//! The unit, as systemd's manager shows it on the system bus (org.freedesktop.systemd1(5)).

use std::time::Duration;

use rustix::process::Signal;

use crate::adapters::service_manager::ServiceError;
use crate::systemd::{Bus, BusError, ManagerProxy, Properties};

/// One unit's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) active: String,
    pub(super) result: String,
    pub(super) main_pid: u32,
    pub(super) exit_status: i32,
    /// When its main process was started, by `CLOCK_MONOTONIC`.
    pub(super) started: Option<Duration>,
    /// The same by the wall clock, in microseconds.
    pub(super) started_at: u64,
}

impl Unit {
    /// Whether there is a main process. While etcd waits for its quorum the unit is `activating`, but still runs.
    pub(super) fn runs(&self) -> bool {
        self.main_pid != 0
    }

    pub(super) fn has_failed(&self) -> bool {
        self.active == "failed"
    }

    /// The last process failed; false if none was started since boot.
    pub(super) fn ended_badly(&self) -> bool {
        !self.runs() && self.started.is_some() && (self.result != "success" || self.exit_status != 0)
    }

    /// How the last process ended, with its last words if they are known; none if none was started since boot.
    pub(super) fn last_exit(&self, words: Option<&str>) -> Option<String> {
        self.started?;
        Some(match (self.result.as_str(), self.exit_status, words) {
            ("success", 0, _) => "it ended of itself, with status 0".to_owned(),
            (result, status, Some(words)) => format!("{result}, status {status}: {words}"),
            (result, status, None) => format!("{result}, status {status}; `journalctl -u` its unit tells more"),
        })
    }
}

/// The manager's calls for one unit.
#[derive(Debug)]
pub(super) struct Units {
    bus: Bus,
    unit: String,
}

impl Units {
    pub(super) fn new(bus: Bus, unit: String) -> Self {
        Self { bus, unit }
    }

    pub(super) async fn look(&self) -> Result<Unit, ServiceError> {
        let unit = Properties::of(&self.bus, &self.unit).await.map_err(|source| self.error(source))?;
        if unit.text("LoadState") != "loaded" {
            return Err(ServiceError::NoUnit { unit: self.unit.clone(), load: unit.text("LoadState") });
        }
        let started = unit.get::<u64>("ExecMainStartTimestampMonotonic").filter(|at| *at > 0).map(Duration::from_micros);
        Ok(Unit {
            active: unit.text("ActiveState"),
            result: unit.text("Result"),
            main_pid: unit.get("MainPID").unwrap_or_default(),
            exit_status: unit.get("ExecMainStatus").unwrap_or_default(),
            started,
            started_at: unit.get("ExecMainStartTimestamp").unwrap_or_default(),
        })
    }

    /// Queues the start. systemd would refuse a unit that failed too often recently, so its count is cleared first.
    pub(super) async fn start(&self) -> Result<(), ServiceError> {
        let started = self
            .bus
            .call("start the unit", async |connection| {
                let manager = ManagerProxy::new(connection).await?;
                manager.reset_failed_unit(&self.unit).await.ok();
                manager.start_unit(&self.unit, "replace").await
            })
            .await;
        started.map(drop).map_err(|source| self.error(source))
    }

    /// Stops the unit. While the machine shuts down, a stop job of this unit already waits for the agent's own exit (it is ordered after it), and a new one
    /// would be merged into it: then only a signal stops the unit.
    pub(super) async fn stop(&self) -> Result<(), ServiceError> {
        let stopping = self.bus.call("read systemd's state", async |c| ManagerProxy::new(c).await?.system_state().await).await;
        if stopping.is_ok_and(|state| state == "stopping") {
            return self.kill(Signal::TERM).await;
        }
        let stopped = self.bus.call("stop the unit", async |c| ManagerProxy::new(c).await?.stop_unit(&self.unit, "replace").await).await;
        stopped.map(drop).map_err(|source| self.error(source))
    }

    pub(super) async fn kill(&self, signal: Signal) -> Result<(), ServiceError> {
        let number = signal.as_raw();
        let killed =
            self.bus.call("signal the unit", async |c| ManagerProxy::new(c).await?.kill_unit(&self.unit, "main", number).await).await;
        killed.map_err(|source| self.error(source))
    }

    fn error(&self, source: BusError) -> ServiceError {
        ServiceError::Systemd { unit: self.unit.clone(), source }
    }
}
