//! One instance's machine: its disk, its address, its metadata service, its agent, and the etcd that the agent started.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use rustix::process::Signal;
use tokio::process::{Child, Command};

use super::distribution::{Layout, Purpose};
use super::image::{Image, Place};
use super::processes::{self, Process};
use super::settings::{AgentSettings, LISTEN};
use super::{binaries, subnet};
use crate::k3s::Pace;
use crate::region::InstanceKeys;
use crate::wire::ImdsServer;

/// How long an orderly stop may take before the power is cut.
const ORDERLY: Duration = Duration::from_secs(10);

/// Where the agent lets etcd log, on the disk.
pub(super) const ETCD_LOG: &str = "state/etcd.log";

/// What a machine's agent is started with.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) etcd: PathBuf,
    pub(super) quorate: PathBuf,
    pub(super) k3s: PathBuf,
    pub(super) pace: Pace,
    pub(super) settings: AgentSettings,
    /// The agent's environment, except for what differs from machine to machine.
    pub(super) environment: BTreeMap<String, String>,
}

/// One instance's machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: InstanceId,
    pub(super) disk: PathBuf,
    pub(super) log: PathBuf,
    pub(super) address: IpAddr,
    pub(super) purpose: Purpose,
    /// In place of what the lab itself would configure.
    pub(super) image: Option<Arc<dyn Image>>,
    pub(super) imds: Option<ImdsServer>,
    pub(super) agent: Option<Child>,
}

impl Machine {
    /// Starts the agent on the present disk.
    ///
    /// # Errors
    /// The disk cannot be written, or the agent cannot be run.
    pub(super) fn start_agent(&mut self, programs: &Programs) -> anyhow::Result<()> {
        self.boot(programs)?;
        let config = self.disk.join("config.toml");
        fs::write(&config, self.settings(programs)?.to_string()).with_context(|| format!("cannot write {}", config.display()))?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = self.command(programs, "run");
        command.process_group(0).stdout(log.try_clone()?).stderr(log);
        self.agent = Some(command.spawn().with_context(|| format!("cannot run {}", programs.quorate.display()))?);
        Ok(())
    }

    /// What is there before the agent starts.
    fn boot(&self, programs: &Programs) -> anyhow::Result<()> {
        let is_first = !self.disk.exists();
        fs::create_dir_all(&self.disk).with_context(|| format!("cannot make {}", self.disk.display()))?;
        let (layout, has_node) = (Layout::on(&self.disk), self.purpose.role.has_node());
        match &self.image {
            None if has_node => layout.install(Path::new("/"), &self.purpose, &programs.etcd, programs.pace)?,
            Some(_) if has_node => layout.bring_along(Path::new("/"), &self.purpose, &programs.etcd, programs.pace)?,
            _ => {}
        }
        self.image.iter().filter(|_| is_first).try_for_each(|image| image.first_boot(self.place()))
    }

    fn place(&self) -> Place<'_> {
        Place { root: &self.disk, address: self.address, cluster: &self.purpose.cluster }
    }

    /// The agent's program with its configuration and in its environment.
    pub(super) fn command(&self, programs: &Programs, what: &str) -> Command {
        let mut command = Command::new(&programs.quorate);
        command.arg(what).arg("--config").arg(self.disk.join("config.toml")).current_dir(&self.disk).kill_on_drop(true);
        command.env_clear().envs(self.environment()).envs(&programs.environment).stdin(Stdio::null());
        command
    }

    fn settings(&self, programs: &Programs) -> anyhow::Result<AgentSettings> {
        let places = self.places(programs);
        match &self.image {
            Some(image) => Ok(places.overridden_by(&programs.settings).overridden_by(&image.settings(self.place())?)),
            None => Ok(places.overridden_by(&self.habits()).overridden_by(&programs.settings)),
        }
    }

    /// Where everything is in the lab.
    fn places(&self, programs: &Programs) -> AgentSettings {
        let path = |name: &str| self.disk.join(name).display().to_string();
        let mark = format!("{{ {} = {:?} }}", processes::MARK, self.disk.display().to_string());
        let own = AgentSettings::defaults()
            .text("etcd.binary", programs.etcd.display())
            .text("etcd.founding_address", subnet::founding(self.address))
            // The agent gives what it starts an environment of its own.
            .raw("etcd.env", mark.clone())
            .raw("kubernetes.env", mark)
            .text("paths.state_dir", path("state"))
            .text("paths.run_dir", path("run"))
            .text("paths.data_dir", path("data/etcd"));
        // An image may name the role too.
        let own = match self.purpose.role.has_node() || self.image.is_some() {
            true => own
                .overridden_by(&Layout::on(&self.disk).places())
                .text("kubernetes.binary", programs.k3s.display())
                .text("kubernetes.hosts_file", path("etc/hosts")),
            false => own,
        };
        match binaries::restore_tool(&programs.etcd) {
            Some(tool) => own.text("etcd.restore_tool", tool.display()),
            None => own,
        }
    }

    /// The lab's settings for its agents, unless their image has its own.
    fn habits(&self) -> AgentSettings {
        let own = AgentSettings::defaults()
            .raw("peer.i_trust_this_network_without_tls", "true")
            .text("health.listen", SocketAddr::new(self.address, LISTEN.health))
            .text("metrics.listen", SocketAddr::new(self.address, LISTEN.metrics));
        if self.purpose.role.has_node() { own.overridden_by(&Layout::on(&self.disk).settings()) } else { own }
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let imds = self.imds.as_ref().map(ImdsServer::url).unwrap_or_default();
        let keys = InstanceKeys::of(&self.id);
        [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", self.disk.display().to_string()),
            ("RUST_BACKTRACE", "1".to_owned()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds),
            // The lab tells the callers apart by it.
            ("AWS_ACCESS_KEY_ID", keys.access_key),
            ("AWS_SECRET_ACCESS_KEY", keys.secret),
            ("AWS_SESSION_TOKEN", keys.token),
            // A proxy that is not there: it is for AWS's public endpoints, never for this machine or its peers.
            ("HTTP_PROXY", "http://127.0.0.1:9".to_owned()),
            (processes::MARK, self.disk.display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The agent's process number while it runs.
    pub(super) fn agent_pid(&self) -> Option<i32> {
        self.agent.as_ref().and_then(Child::id).and_then(|pid| i32::try_from(pid).ok())
    }

    /// Everything that runs on this machine besides the agent: etcd, and the tools that the agent called.
    pub(super) fn others(&self) -> Vec<Process> {
        let agent = self.agent_pid();
        processes::under(&self.disk).into_iter().filter(|process| Some(process.pid) != agent).collect()
    }

    /// Signals the agent and returns how it ended, if it did in time.
    pub(super) async fn stop_agent(&mut self, signal: Signal) -> Option<ExitStatus> {
        let pid = self.agent_pid()?;
        processes::under(&self.disk).iter().filter(|process| process.pid == pid).for_each(|process| process.signal(signal));
        self.agent_ended(ORDERLY).await
    }

    /// How the agent ended, once it has.
    pub(super) async fn agent_ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let agent = self.agent.as_mut()?;
        let status = tokio::time::timeout(within, agent.wait()).await.ok()?.ok()?;
        self.agent = None;
        Some(status)
    }

    /// As an operating system shuts down: every process is asked to stop, then killed. `/run` is gone afterwards.
    pub(super) async fn shut_down(&mut self) {
        self.stop_agent(Signal::TERM).await;
        let others = self.others();
        others.iter().for_each(|process| process.signal(Signal::TERM));
        let all = futures::future::join_all(others.iter().map(Process::ended));
        let _ = tokio::time::timeout(ORDERLY, all).await;
        self.cut_power().await;
    }

    /// Everything stops at once. `/run` is gone afterwards, the disk is not.
    pub(super) async fn cut_power(&mut self) {
        processes::sweep(&self.disk);
        self.agent_ended(ORDERLY).await;
        self.agent = None;
        let _ = fs::remove_dir_all(self.disk.join("run"));
    }

    /// A new, empty disk. What etcd logged is kept.
    pub(super) fn wipe(&self) {
        let _ = fs::copy(self.disk.join(ETCD_LOG), self.log.with_extension("etcd.log"));
        let _ = fs::remove_dir_all(&self.disk);
    }
}
