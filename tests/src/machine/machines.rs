//! All the machines of a world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail, ensure};
use quorate_core::ids::InstanceId;
use tokio::process::Child;

use super::image::Image;
use super::instance::Machine;
use super::journal;
use super::spawn::REBOOT;
use crate::lab::AgentSettings;
use crate::lab::clusters::Clusters;
use crate::lab::distribution::{Layout, Purpose};
use crate::lab::etcd::Credentials;
use crate::lab::events::Machinery;
use crate::lab::site::Host;
use crate::wire::RegionServer;

/// The number of last lines shown of each agent.
const TAIL: &str = "--lines=30";

/// All the machines of a world.
#[derive(Debug)]
pub(super) struct Machines {
    pub(super) server: RegionServer,
    clusters: Arc<Clusters>,
    image: Image,
    scene: String,
    /// The world's cgroup.
    cgroup: PathBuf,
    settings: AgentSettings,
    machines: Mutex<BTreeMap<InstanceId, Arc<Machine>>>,
    troubles: Mutex<Vec<String>>,
    unattended: Mutex<BTreeSet<InstanceId>>,
    closed: AtomicBool,
}

impl Machines {
    pub(super) fn new(
        server: RegionServer,
        clusters: Arc<Clusters>,
        image: Image,
        scene: &str,
        cgroup: PathBuf,
        settings: AgentSettings,
    ) -> Self {
        Self {
            server,
            clusters,
            image,
            scene: scene.to_owned(),
            cgroup,
            settings: settings.raw("peer.i_trust_this_network_without_tls", "true"),
            machines: Mutex::default(),
            troubles: Mutex::default(),
            unattended: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn machine(&self, instance: &InstanceId) -> Option<Arc<Machine>> {
        lock(&self.machines).get(instance).cloned()
    }

    /// The machine of an instance; none if it never came up, or is off already.
    fn running(&self, instance: &InstanceId) -> Option<Arc<Machine>> {
        self.machine(instance).filter(|machine| machine.leader().is_some())
    }

    pub(super) fn all(&self) -> Vec<Arc<Machine>> {
        lock(&self.machines).values().cloned().collect()
    }

    fn boot(&self, machine: &Machine) -> anyhow::Result<Child> {
        ensure!(!self.closed.load(Ordering::Relaxed), "the world is closed");
        machine.boot()
    }

    async fn create(&self, instance: &InstanceId) -> anyhow::Result<Arc<Machine>> {
        let known = self.server.region().lock().instance(instance).map(|instance| (instance.address, Purpose::of(&instance.tags)));
        let (address, mut purpose) = known.with_context(|| format!("there is no instance {instance}"))?;
        let IpAddr::V4(address) = address else { bail!("{instance} has no IPv4 address, and the bridge knows no other") };
        if purpose.role.has_node() {
            purpose.kubernetes = self.clusters.serve(&purpose.cluster).await?.0;
        }
        let machine = Arc::new(Machine::create(&self.image, &self.cgroup, instance, address, &self.settings, &purpose)?);
        lock(&self.machines).insert(instance.clone(), machine.clone());
        Ok(machine)
    }

    pub(super) fn leave_unattended(&self, instance: &InstanceId) {
        lock(&self.unattended).insert(instance.clone());
    }

    /// The journals and consoles of all machines that ever ran.
    pub(super) fn keep_logs(&self, directory: &Path) {
        let target = directory.join(&self.scene);
        let _ = fs::remove_dir_all(&target);
        if fs::create_dir_all(&target).is_ok() {
            self.all().iter().for_each(|machine| machine.keep_logs(&target));
            eprintln!("the journals are in {}", target.display());
        }
    }

    /// Removes every machine, disk and interface.
    pub(super) fn end(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.all().iter().for_each(|machine| machine.end());
    }
}

impl Machinery for Machines {
    /// Powers a machine on, and on again after a reboot, until it is off.
    async fn launch(&self, instance: &InstanceId) -> anyhow::Result<()> {
        let machine = match self.machine(instance) {
            Some(machine) => machine,
            None => self.create(instance).await?,
        };
        loop {
            let status = self.boot(&machine)?.wait().await?;
            match status.code() {
                Some(REBOOT) => {}
                Some(0) => {
                    self.server.region().with(|region, now| region.guest_poweroff(instance, now));
                    return Ok(());
                }
                _ if machine.was_cut() => return Ok(()),
                _ => anyhow::bail!("{} ended: {status}\n{}", machine.name(), machine.console()),
            }
        }
    }

    /// EC2 presses the power button, and logind reacts like this.
    async fn shut_down(&self, instance: &InstanceId) -> anyhow::Result<()> {
        match self.running(instance) {
            Some(machine) => machine.logind("PowerOff").await,
            None => Ok(()),
        }
    }

    async fn power_off(&self, instance: &InstanceId) -> anyhow::Result<()> {
        if let Some(machine) = self.running(instance) {
            machine.cut_power();
        }
        Ok(())
    }

    async fn reboot(&self, instance: &InstanceId) -> anyhow::Result<()> {
        match self.running(instance) {
            Some(machine) => machine.logind("Reboot").await,
            None => Ok(()),
        }
    }

    async fn hibernate(&self, instance: &InstanceId) -> anyhow::Result<()> {
        anyhow::bail!("{instance} cannot hibernate: a container has no memory of its own")
    }

    async fn wake(&self, instance: &InstanceId) -> anyhow::Result<()> {
        anyhow::bail!("{instance} cannot wake up: a container has no memory of its own")
    }

    async fn replace_root_volume(&self, instance: &InstanceId) -> anyhow::Result<()> {
        anyhow::bail!("the root volume of {instance} is not replaced here: the lab on loopback addresses does it")
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
        for machine in self.all() {
            let log = journal::text(&machine.disk(), &["--unit=quorate.service", TAIL]);
            let _ = writeln!(text, "--- {} {}\n{}", machine.name(), machine.instance(), log.unwrap_or_else(|error| format!("{error:#}")));
        }
        text
    }

    fn credentials(&self, instance: &InstanceId) -> Option<Credentials> {
        let disk = self.machine(instance)?.disk();
        Credentials::of_k3s(&Layout::stock().on_disk(&disk).data_dir).or_else(|| Credentials::of_agent(&disk.join("var/lib/quorate")))
    }

    fn is_unattended(&self, instance: &InstanceId) -> bool {
        lock(&self.unattended).contains(instance)
    }
}

/// A test that failed while it held the lock leaves nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
