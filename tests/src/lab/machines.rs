//! All the machines of a lab, and their settings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::time::Timestamp;
use rustix::process::Signal;

use super::LabOptions;
use super::clusters::Clusters;
use super::distribution::{self, Purpose};
use super::etcd::Credentials;
use super::events::Machinery;
use super::image::Image;
use super::machine::{Machine, Programs};
use super::settings::AgentSettings;
use super::site::Host;
use super::{root, subnet};
use crate::region::Ec2State;
use crate::wire::RegionServer;

/// The number of last lines shown of each log.
const TAIL: usize = 25;

/// All the machines of a lab.
#[derive(Debug)]
pub(super) struct Machines {
    pub(super) server: RegionServer,
    pub(super) clusters: Arc<Clusters>,
    root: PathBuf,
    boot: Duration,
    /// How long the next boots take, where a test has set it.
    boots: Mutex<VecDeque<Duration>>,
    programs: Mutex<Programs>,
    /// What the instances of a group boot, where it is not the lab's own.
    images: Mutex<BTreeMap<GroupName, Arc<dyn Image>>>,
    slots: Mutex<BTreeMap<InstanceId, Slot>>,
    /// What the lab itself failed to do.
    troubles: Mutex<Vec<String>>,
    /// Running machines whose agent was ended by a test and not started again.
    unattended: Mutex<BTreeSet<InstanceId>>,
    /// The lab is being cleared up: nothing more is started.
    closed: AtomicBool,
}

#[derive(Clone, Debug)]
struct Slot {
    machine: Arc<tokio::sync::Mutex<Machine>>,
    started: Option<Timestamp>,
}

impl Machines {
    pub(super) fn new(server: RegionServer, options: LabOptions, root: &Path) -> Self {
        let LabOptions { etcd, quorate, k3s, pace, region, boot, settings, mut environment, .. } = options;
        environment.insert("AWS_ENDPOINT_URL".to_owned(), server.url());
        environment.insert("NO_PROXY".to_owned(), server.address().ip().to_string());
        environment.insert("AWS_REGION".to_owned(), region.region.to_string());
        let programs = Mutex::new(Programs { etcd, quorate, k3s, pace, settings, environment });
        Self {
            clusters: Arc::new(Clusters::at(server.address().ip())),
            server,
            root: root.to_owned(),
            boot,
            boots: Mutex::default(),
            programs,
            images: Mutex::default(),
            slots: Mutex::default(),
            troubles: Mutex::default(),
            unattended: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn disk(&self, instance: &InstanceId) -> PathBuf {
        self.root.join(instance.as_str())
    }

    pub(super) fn log(&self, instance: &InstanceId) -> PathBuf {
        root::log(&self.root, instance.as_str())
    }

    pub(super) fn programs(&self) -> Programs {
        lock(&self.programs).clone()
    }

    pub(super) fn quorate(&self) -> PathBuf {
        lock(&self.programs).quorate.clone()
    }

    pub(super) fn agent_started(&self, instance: &InstanceId) -> Option<Timestamp> {
        lock(&self.slots).get(instance)?.started
    }

    pub(super) fn started(&self) -> Vec<InstanceId> {
        lock(&self.slots).keys().cloned().collect()
    }

    pub(super) fn etcd(&self) -> PathBuf {
        lock(&self.programs).etcd.clone()
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// From the next start of an agent on.
    pub(super) fn change_settings(&self, change: impl FnOnce(AgentSettings) -> AgentSettings) {
        let mut programs = lock(&self.programs);
        programs.settings = change(std::mem::take(&mut programs.settings));
    }

    /// From the next start of an agent on.
    pub(super) fn set_environment(&self, name: &str, value: Option<&str>) {
        let environment = &mut lock(&self.programs).environment;
        match value {
            Some(value) => environment.insert(name.to_owned(), value.to_owned()),
            None => environment.remove(name),
        };
    }

    pub(super) fn boot_from(&self, group: GroupName, image: Arc<dyn Image>) {
        lock(&self.images).insert(group, image);
    }

    pub(super) fn boot_takes(&self, delays: impl IntoIterator<Item = Duration>) {
        lock(&self.boots).extend(delays);
    }

    /// The machine of an instance, which is made when it is first asked for.
    pub(super) fn machine(&self, instance: &InstanceId) -> anyhow::Result<Arc<tokio::sync::Mutex<Machine>>> {
        if let Some(slot) = lock(&self.slots).get(instance) {
            return Ok(slot.machine.clone());
        }
        let found = self.server.region().lock().instance(instance).map(|instance| (instance.address, Purpose::of(&instance.tags)));
        let (address, purpose) = found.with_context(|| format!("there is no instance {instance}"))?;
        let image = self.image(instance);
        let (disk, log) = (self.disk(instance), self.log(instance));
        let machine = Machine { id: instance.clone(), disk, log, address, purpose, image, imds: None, agent: None };
        let machine = Arc::new(tokio::sync::Mutex::new(machine));
        lock(&self.slots).insert(instance.clone(), Slot { machine: machine.clone(), started: None });
        Ok(machine)
    }

    fn image(&self, instance: &InstanceId) -> Option<Arc<dyn Image>> {
        let (images, region) = (lock(&self.images), self.server.region().lock());
        let own = |group: &GroupName| region.members(group).any(|one| one.id == *instance);
        images.iter().find(|(group, _)| own(group)).map(|(_, image)| image.clone())
    }

    /// Starts the agent on this machine.
    ///
    /// # Errors
    /// The lab is closed, or the agent cannot be run.
    pub(super) fn start_agent(&self, machine: &mut Machine) -> anyhow::Result<()> {
        ensure!(!self.closed.load(Ordering::Relaxed), "the lab is closed");
        let programs = lock(&self.programs).clone();
        machine.start_agent(&programs)?;
        lock(&self.unattended).remove(&machine.id);
        if let Some(slot) = lock(&self.slots).get_mut(&machine.id) {
            slot.started.get_or_insert(self.server.region().now());
        }
        Ok(())
    }

    async fn serve_imds(&self, machine: &Machine) -> anyhow::Result<crate::wire::ImdsServer> {
        let mut attempts = 0;
        loop {
            match self.server.serve_imds(machine.id.clone(), subnet::metadata(machine.address)).await {
                Ok(server) => return Ok(server),
                // A process that had this address before may still be closing down.
                Err(_) if attempts < 20 => attempts += 1,
                Err(error) => return Err(error).context(format!("cannot serve the metadata of {}", machine.id)),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the agent and leaves the rest of its machine alone.
    pub(super) async fn stop_agent(&self, instance: &InstanceId, signal: Signal) -> anyhow::Result<()> {
        let machine = self.machine(instance)?;
        lock(&self.unattended).insert(instance.clone());
        let ended = machine.lock().await.stop_agent(signal).await;
        ended.map(drop).with_context(|| format!("the agent of {instance} did not end, or did not run"))
    }

    /// Waits for the agent to end on its own.
    pub(super) async fn agent_ended(&self, instance: &InstanceId, within: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let machine = self.machine(instance)?;
        let ended = machine.lock().await.agent_ended(within).await;
        if ended.is_some() {
            lock(&self.unattended).insert(instance.clone());
        }
        Ok(ended)
    }
}

impl Machinery for Machines {
    async fn launch(&self, instance: &InstanceId) -> anyhow::Result<()> {
        let machine = self.machine(instance)?;
        let mut machine = machine.lock().await;
        if machine.imds.is_none() {
            machine.imds = Some(self.serve_imds(&machine).await?);
        }
        if machine.purpose.role.has_node() {
            machine.purpose.kubernetes = self.clusters.serve(&machine.purpose.cluster).await?.0;
        }
        let boot = lock(&self.boots).pop_front().unwrap_or(self.boot);
        tokio::time::sleep(boot).await;
        self.start_agent(&mut machine)
    }

    /// The power button: the machine shuts down and says so when it is off.
    async fn shut_down(&self, instance: &InstanceId) -> anyhow::Result<()> {
        let machine = self.machine(instance)?;
        machine.lock().await.shut_down().await;
        self.server.region().with(|region, now| region.guest_poweroff(instance, now));
        Ok(())
    }

    /// The machine is off; its disk is gone too, unless it can be started again.
    async fn power_off(&self, instance: &InstanceId) -> anyhow::Result<()> {
        // This must not wait for a shutdown that may be under way and holds the machine.
        super::processes::sweep(&self.disk(instance));
        let machine = self.machine(instance)?;
        let mut machine = machine.lock().await;
        machine.cut_power().await;
        machine.imds = None;
        let state = self.server.region().lock().instance(instance).map(|instance| instance.ec2);
        if !matches!(state, Some(Ec2State::Stopped | Ec2State::Stopping)) {
            machine.wipe();
        }
        Ok(())
    }

    /// An orderly shutdown, and the same disk again.
    async fn reboot(&self, instance: &InstanceId) -> anyhow::Result<()> {
        let machine = self.machine(instance)?;
        let mut machine = machine.lock().await;
        machine.shut_down().await;
        tokio::time::sleep(self.boot).await;
        self.start_agent(&mut machine)
    }

    /// Every process is stopped where it is. Memory and open files stay, and the kernel's clocks go on, as they have after a real wake-up;
    /// unlike there, connections may outlive it, and the kernel still acknowledges what is sent to them.
    async fn hibernate(&self, instance: &InstanceId) -> anyhow::Result<()> {
        super::processes::under(&self.disk(instance)).iter().for_each(|process| process.signal(Signal::STOP));
        self.server.region().with(|region, now| region.guest_poweroff(instance, now));
        Ok(())
    }

    async fn wake(&self, instance: &InstanceId) -> anyhow::Result<()> {
        super::processes::under(&self.disk(instance)).iter().for_each(|process| process.signal(Signal::CONT));
        Ok(())
    }

    async fn replace_root_volume(&self, instance: &InstanceId) -> anyhow::Result<()> {
        let machine = self.machine(instance)?;
        let mut machine = machine.lock().await;
        machine.shut_down().await;
        machine.wipe();
        tokio::time::sleep(self.boot).await;
        self.start_agent(&mut machine)
    }

    fn trouble(&self, what: String) {
        lock(&self.troubles).push(what);
    }
}

impl Host for Machines {
    fn troubles(&self) -> Vec<String> {
        lock(&self.troubles).clone()
    }

    fn logs(&self) -> String {
        let mut text = String::new();
        for instance in self.started() {
            let log = std::fs::read(self.log(&instance)).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let lines: Vec<_> = log.lines().collect();
            let _ = writeln!(text, "--- {instance}");
            for line in &lines[lines.len().saturating_sub(TAIL)..] {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    fn credentials(&self, instance: &InstanceId) -> Option<Credentials> {
        let disk = self.disk(instance);
        Credentials::of_k3s(&distribution::data_dir(&disk)).or_else(|| Credentials::of_agent(&disk.join("state")))
    }

    fn is_unattended(&self, instance: &InstanceId) -> bool {
        lock(&self.unattended).contains(instance)
    }
}

/// A test that failed while it held the lock leaves nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
