//! A Kubernetes distribution's server or agent, configured by one file of the agent's among the operator's own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use quorate_core::plan::Start;
use quorate_core::transport::Transport;

use super::Distribution;
use crate::adapters::host::atomic;
use crate::adapters::service_manager::exec::proc;
use crate::adapters::service_manager::{Program, ServiceError, remove};

/// A distribution on this node.
#[derive(Debug)]
pub struct DistributionServer {
    distribution: Arc<dyn Distribution>,
    marked_dir: PathBuf,
    /// The unit's `ConditionPathExists=`. It is gone after a boot: an enabled unit does not start before the agent has looked.
    permit: PathBuf,
    environment: BTreeMap<String, String>,
}

/// The file without which the distribution's unit does not start: its `ConditionPathExists=` names it.
#[must_use]
pub fn permit(distribution: &dyn Distribution, run_dir: &Path) -> PathBuf {
    run_dir.join(format!("{}.permit", distribution.name()))
}

/// The running process of this distribution, whoever started it.
///
/// # Errors
/// `/proc` cannot be read.
pub fn running(distribution: &dyn Distribution) -> Result<Option<i32>, ServiceError> {
    Ok(proc::find(|pid| is_process(distribution, pid))?.map(|id| id.pid))
}

fn is_process(distribution: &dyn Distribution, pid: i32) -> bool {
    proc::words(pid, "cmdline").is_some_and(|words| distribution.is_command_line(&words))
}

impl DistributionServer {
    /// This distribution, with further environment for a child; its unit may start only while `<name>.permit` is in `run_dir`.
    #[must_use]
    pub fn new(distribution: Arc<dyn Distribution>, run_dir: &Path, environment: BTreeMap<String, String>) -> Self {
        let (marked_dir, permit) = (distribution.marked_dir(), permit(&*distribution, run_dir));
        Self { distribution, marked_dir, permit, environment }
    }

    fn configure(&self, how: &Start) -> Result<(), ServiceError> {
        self.distribution.write(how)?;
        Ok(atomic::create_private_dir(&self.marked_dir)?)
    }
}

#[async_trait]
impl Program for DistributionServer {
    fn name(&self) -> &'static str {
        self.distribution.name()
    }

    fn binary(&self) -> &Path {
        self.distribution.binary()
    }

    fn data_dir(&self) -> &Path {
        &self.marked_dir
    }

    fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    async fn for_child(&self, how: &Start, _transport: Transport) -> Result<Vec<OsString>, ServiceError> {
        self.configure(how)?;
        Ok(self.distribution.arguments())
    }

    async fn for_unit(&self, how: &Start, _transport: Transport) -> Result<(), ServiceError> {
        self.configure(how)?;
        Ok(atomic::write(&self.permit, b"The agent has started this unit. It removes this file before it stops it.\n")?)
    }

    /// The file is a founder's: no other server, and loopback only.
    async fn for_restore(&self, snapshot: &Path) -> Result<Vec<OsString>, ServiceError> {
        self.distribution.put(&self.distribution.restore_configuration()?)?;
        Ok(self.distribution.restore_arguments(snapshot))
    }

    fn forbid_unit(&self) -> Result<(), ServiceError> {
        remove(&self.permit)
    }

    fn is_process(&self, pid: i32) -> bool {
        is_process(&*self.distribution, pid)
    }

    /// The file still says what the process read: it is written only before a start, and to name another server, which does not change this.
    fn child_is_on_loopback(&self, _pid: i32) -> Result<bool, ServiceError> {
        Ok(self.distribution.configured()?.loopback_only)
    }

    fn unit_is_on_loopback(&self) -> Result<bool, ServiceError> {
        Ok(self.distribution.configured()?.loopback_only)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::adapters::distribution::{K3s, NodeSpec};
    use crate::config::Settings;

    fn server(dir: &Path, worker: bool) -> DistributionServer {
        let file = format!("[kubernetes]\nconfig_dir = {:?}\ndata_dir = {:?}\n", dir.join("etc"), dir.join("data"));
        let node = NodeSpec {
            name: "i-1".into(),
            address: "10.0.0.5".parse().unwrap(),
            worker,
            zone: "a".into(),
            founding_address: "127.0.0.1".parse().unwrap(),
        };
        DistributionServer::new(Arc::new(K3s::new(Settings::parse(&file).unwrap().kubernetes, node)), &dir.join("run"), BTreeMap::new())
    }

    #[tokio::test]
    async fn a_unit_is_configured_before_it_is_permitted_and_forbidden_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("run")).unwrap();
        let server = server(dir.path(), false);
        assert!(!server.unit_is_on_loopback().unwrap());
        server.for_unit(&Start::Resume { loopback_only: true, server: None }, Transport::Plain).await.unwrap();
        let file = dir.path().join("etc/config.yaml.d/90-quorate.yaml");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(server.unit_is_on_loopback().unwrap() && server.data_dir().is_dir());
        let permit = dir.path().join("run/k3s.permit");
        assert!(permit.exists());
        server.forbid_unit().unwrap();
        server.forbid_unit().unwrap();
        assert!(!permit.exists() && file.exists());
    }

    #[tokio::test]
    async fn what_cannot_start_is_neither_configured_nor_permitted() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("run")).unwrap();
        let worker = server(dir.path(), true);
        assert!(worker.for_unit(&Start::Resume { loopback_only: false, server: None }, Transport::Plain).await.is_err());
        fs::create_dir_all(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/config.yaml"), "server: https://elsewhere:6443\n").unwrap();
        let refused = worker
            .for_unit(&Start::Worker { server: "10.0.0.4".parse().unwrap(), authority: None }, Transport::Plain)
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("config.yaml sets server"), "{refused}");
        assert!(!dir.path().join("run/k3s.permit").exists() && !dir.path().join("etc/config.yaml.d/90-quorate.yaml").exists());
    }
}
