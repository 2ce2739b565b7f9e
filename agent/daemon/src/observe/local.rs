//! This machine: the data directory and the member's process.

use quorate_core::ids::InstanceId;
use quorate_core::observation::{Effort, Installed, Local, LocalData, Process, Shutdown};
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use crate::adapters::host::DataDir;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::config::Settings;
use crate::telemetry::chain;

pub(super) struct LocalObserver {
    clients: Clients,
    me: InstanceId,
    data_dir: DataDir,
    /// The data of a running member keeps its identity: once known, it is not read again until etcd stops.
    settled: Option<LocalData>,
}

impl LocalObserver {
    pub(super) fn new(settings: &Settings, clients: &Clients) -> Self {
        Self { clients: clients.clone(), me: clients.me.instance.clone(), data_dir: clients.data_dir(settings), settled: None }
    }

    pub(super) async fn look(&mut self, shutdown: Option<Shutdown>, clock: Clock) -> Local {
        let now = clock.now();
        let state = self.clients.service.state().await.map_err(|error| chain(&error));
        let ended = state.as_ref().ok().and_then(|state| state.ended);
        let work = state.as_ref().ok().and_then(|state| state.work);
        let ran_this_boot = state.as_ref().is_ok_and(|state| state.ran_this_boot);
        let process = state.map(|state| state.process);
        let runs = matches!(process, Ok(Process::Running { .. }));
        let data = match self.settled.clone().filter(|_| runs) {
            Some(data) => Ok(data),
            None => self.data_dir.inspect(&self.me).map_err(|error| chain(&error)),
        };
        self.settled = data.as_ref().ok().filter(|data| runs && is_whole(data)).cloned();
        let stopped = matches!(process, Ok(Process::Stopped { .. }));
        Local {
            etcd: Installed { ended, ..self.installed(stopped, now).await },
            reattached: data.as_ref().err().and_then(|_| self.data_dir.moved(&self.me).ok().flatten()),
            data: reading(data, now),
            ran_this_boot,
            superseded: self.data_dir.superseded_exists().unwrap_or(true),
            process: reading(process, now),
            effort: Effort { work, received: self.data_dir.receiving().filter(|_| runs) },
            certificates: self.clients.certificates.reading(clock),
            shutdown,
        }
    }
}

impl LocalObserver {
    /// The etcd that would be started, which is asked again only if the file has changed. Its ports are checked while our own process does not have them.
    async fn installed(&self, stopped: bool, now: Timestamp) -> Installed {
        let service = &self.clients.service;
        let Some(answer) = service.preflight(now).await else { return Installed::unknown("a distribution brings its own etcd") };
        let ports_taken = if stopped { service.taken_ports() } else { Vec::new() };
        match answer {
            Ok(answer) => {
                let version = Reading::Fresh(answer.version, now);
                Installed { version, flag_refused: answer.flag_refused, ports_taken, ended: None }
            }
            Err(error) => Installed { version: Reading::unknown(chain(&error)), flag_refused: None, ports_taken, ended: None },
        }
    }
}

fn is_whole(data: &LocalData) -> bool {
    matches!(data, LocalData::Present(identity) if identity.member.is_some())
}

fn reading<T>(result: Result<T, String>, now: Timestamp) -> Reading<T> {
    match result {
        Ok(value) => Reading::Fresh(value, now),
        Err(why) => Reading::unknown(why),
    }
}
