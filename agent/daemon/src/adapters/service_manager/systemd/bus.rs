//! The unit, as systemd's manager shows it on the system bus (org.freedesktop.systemd1(5)).

use std::collections::HashMap;
use std::time::Duration;

use rustix::process::Signal;
use zbus::OwnedVariant;
use zbus::fdo::PropertiesProxy;
use zbus::names::InterfaceName;

use crate::adapters::service_manager::ServiceError;
use crate::systemd::{Bus, BusError, ManagerProxy};

/// One unit's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) active: String,
    pub(super) result: String,
    pub(super) main_pid: u32,
    pub(super) exit_status: i32,
    /// When its main process was started, by `CLOCK_MONOTONIC`.
    pub(super) started: Option<Duration>,
}

impl Unit {
    /// A main process is there. While etcd waits for its quorum the unit is `activating`, and runs all the same.
    pub(super) fn runs(&self) -> bool {
        self.main_pid != 0
    }

    pub(super) fn has_failed(&self) -> bool {
        self.active == "failed"
    }

    /// How the last process ended; nothing if none was started since the boot.
    pub(super) fn last_exit(&self) -> Option<String> {
        self.started?;
        Some(match (self.result.as_str(), self.exit_status) {
            ("success", 0) => "it ended of itself, with status 0".to_owned(),
            (result, status) => format!("{result}, status {status}; `journalctl -u` its unit tells more"),
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
        let (unit, service) = self
            .bus
            .call("read the unit", async |connection| {
                let path = ManagerProxy::new(connection).await?.load_unit(&self.unit).await?;
                let properties = PropertiesProxy::builder(connection).destination("org.freedesktop.systemd1").path(path).build().await?;
                let all = async |name: &'static str| properties.get_all(InterfaceName::from_static_str(name)?).await;
                Ok((all("org.freedesktop.systemd1.Unit").await?, all("org.freedesktop.systemd1.Service").await?))
            })
            .await
            .map_err(|source| self.error(source))?;
        if text(&unit, "LoadState") != "loaded" {
            return Err(ServiceError::NoUnit { unit: self.unit.clone(), load: text(&unit, "LoadState") });
        }
        let started = number::<u64>(&service, "ExecMainStartTimestampMonotonic").filter(|at| *at > 0).map(Duration::from_micros);
        Ok(Unit {
            active: text(&unit, "ActiveState"),
            result: text(&service, "Result"),
            main_pid: number(&service, "MainPID").unwrap_or_default(),
            exit_status: number(&service, "ExecMainStatus").unwrap_or_default(),
            started,
        })
    }

    /// Queues the start. A unit that failed too often of late would be refused, so its count is cleared first.
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

    /// While the machine shuts down, a stop job of this unit waits for the agent's own end (it is ordered after it), and a new one would
    /// be merged into that: then only a signal stops it.
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

type Properties = HashMap<String, OwnedVariant>;

fn text(properties: &Properties, name: &str) -> String {
    properties.get(name).and_then(|v| v.downcast_ref::<&str>().ok()).unwrap_or_default().to_owned()
}

fn number<T: TryFrom<OwnedVariant>>(properties: &Properties, name: &str) -> Option<T> {
    properties.get(name)?.try_clone().ok()?.try_into().ok()
}
