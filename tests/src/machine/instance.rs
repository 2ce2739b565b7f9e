//! One booted machine.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use serde_json::Value;
use tokio::process::Child;

use super::command::{run, run_within};
use super::image::Image;
use super::journal::{self, Entry};
use super::spawn::{self, Boot, Cgroup};
use super::{SHARED, files, k3s};
use crate::lab::AgentSettings;
use crate::lab::distribution::Purpose;
use crate::lab::observe;

const MACHINES: &str = "/run/machines";
/// Longer than anything that a test runs on a machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One booted machine.
#[derive(Debug)]
pub struct Machine {
    name: String,
    instance: InstanceId,
    directory: PathBuf,
    /// What extends its `/usr`.
    extension: Option<&'static Path>,
    cgroup: Cgroup,
    nspawn: AtomicU32,
    /// Its power was cut, so its end is expected.
    cut: AtomicBool,
}

impl Machine {
    /// A machine that is still off.
    pub(super) fn create(
        image: &Image,
        world: &Path,
        instance: &InstanceId,
        address: Ipv4Addr,
        settings: &AgentSettings,
        purpose: &Purpose,
    ) -> anyhow::Result<Self> {
        let name = format!("m{}", address.octets()[3]);
        let directory = Path::new(MACHINES).join(&name);
        image.mount(&directory).with_context(|| format!("cannot make a disk for {name}"))?;
        let root = directory.join("root");
        let settings = if purpose.role.has_node() { k3s::settings().overridden_by(settings) } else { settings.clone() };
        files::write(&root, &name, address, &settings).with_context(|| format!("cannot write the files of {name}"))?;
        let extension = image.extension();
        match extension {
            None => files::start_at_boot(&root, &[files::AGENT, files::APPLICATION])?,
            Some(_) => {
                files::extend(&root)?;
                remove_etcd(&root).context("cannot remove etcd")?;
            }
        }
        if purpose.role.has_node() {
            k3s::install(&root, purpose)?;
        }
        let cgroup = Cgroup::of(world, &name);
        Ok(Self { name, instance: instance.clone(), directory, extension, cgroup, nspawn: AtomicU32::new(0), cut: AtomicBool::new(false) })
    }

    /// Its name, for `machinectl` too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its instance.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// Its disk, as it is seen from outside.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// What it printed on its console.
    #[must_use]
    pub fn console(&self) -> String {
        fs::read_to_string(self.console_file()).unwrap_or_default()
    }

    fn console_file(&self) -> PathBuf {
        self.directory.join("console")
    }

    pub(super) fn boot(&self) -> anyhow::Result<Child> {
        self.cut.store(false, Ordering::Relaxed);
        let (root, console) = (self.disk(), self.console_file());
        let (bind, extension) = ((SHARED, files::SHARED), self.extension);
        let boot = Boot { name: &self.name, root: &root, console: &console, bind, extension, cgroup: &self.cgroup };
        let nspawn = boot.spawn()?;
        self.nspawn.store(nspawn.id().unwrap_or(0), Ordering::Relaxed);
        Ok(nspawn)
    }

    /// Its PID 1, as it is known outside, while it runs.
    #[must_use]
    pub fn leader(&self) -> Option<u32> {
        spawn::leader(self.nspawn.load(Ordering::Relaxed))
    }

    /// Runs a program on it, as root, and returns what that printed.
    ///
    /// # Errors
    /// The machine is off, or the program fails.
    pub async fn run(&self, program: &[&str]) -> anyhow::Result<String> {
        let leader = self.leader().with_context(|| format!("{} is off", self.name))?.to_string();
        // -C: the cgroup's namespace too, so /proc/self/cgroup makes sense there.
        let enter = ["-t", leader.as_str(), "-m", "-u", "-i", "-n", "-p", "-C", "--"];
        run_within(PATIENCE, "nsenter", &[&enter[..], program].concat()).await.with_context(|| format!("on {}", self.name))
    }

    /// What systemd says of a unit there, such as its `ActiveState`.
    ///
    /// # Errors
    /// The machine is off.
    pub async fn unit(&self, unit: &str, property: &str) -> anyhow::Result<String> {
        Ok(self.run(&["systemctl", "show", "--value", "--property", property, unit]).await?.trim().to_owned())
    }

    /// The number of its systemd's version.
    ///
    /// # Errors
    /// The machine is off.
    pub async fn systemd(&self) -> anyhow::Result<u32> {
        let version = self.run(&["systemctl", "show", "--value", "--property", "Version"]).await?;
        let digits: String = version.trim_start_matches('v').chars().take_while(char::is_ascii_digit).collect();
        digits.parse().with_context(|| format!("{version:?} is no version"))
    }

    /// What the agent says of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self) -> anyhow::Result<Value> {
        let leader = self.leader().with_context(|| format!("{} is off", self.name))?;
        observe::ask(&PathBuf::from(format!("/proc/{leader}/root/run/quorate/quorate.sock"))).await.with_context(|| self.name.clone())
    }

    /// A call to logind that takes one flag, which says whether a user may be asked: `PowerOff`, `Reboot`.
    ///
    /// # Errors
    /// logind refuses.
    pub async fn logind(&self, method: &str) -> anyhow::Result<()> {
        let call = ["busctl", "call", "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"];
        self.run(&[&call[..], &[method, "b", "false"]].concat()).await.map(drop)
    }

    /// `machinectl poweroff`: PID 1 gets a signal, and logind learns nothing of it.
    ///
    /// # Errors
    /// It is not registered.
    pub fn machinectl_poweroff(&self) -> anyhow::Result<()> {
        run("machinectl", &["poweroff", &self.name]).map(drop)
    }

    /// The entries of its journal that match, oldest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn journal(&self, matches: &[&str]) -> anyhow::Result<Vec<Entry>> {
        journal::read(&self.disk(), matches)
    }

    /// Freezes every process.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn freeze(&self) -> anyhow::Result<()> {
        Ok(self.cgroup.freeze(true)?)
    }

    /// Resumes them.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn thaw(&self) -> anyhow::Result<()> {
        Ok(self.cgroup.freeze(false)?)
    }

    /// Everything stops at once; the disk stays.
    pub fn cut_power(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.cgroup.kill();
        spawn::bury(&self.name);
    }

    pub(super) fn was_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Copies what is of use when a test has failed.
    pub(super) fn keep_logs(&self, target: &Path) {
        let path = |kind: &str| target.join(format!("{}-{}.{kind}", self.name, self.instance));
        let _ = fs::copy(self.console_file(), path("console"));
        if let Ok(journal) = journal::text(&self.disk(), &[]) {
            let _ = fs::write(path("journal"), journal);
        }
    }

    /// Removes its disk too.
    pub(super) fn end(&self) {
        self.cut_power();
        for mount in [self.disk(), self.directory.clone()] {
            let _ = run("umount", &["--lazy".as_ref(), mount.as_os_str()]);
        }
        let _ = fs::remove_dir(&self.directory);
    }
}

/// What the extension brings is not there without it.
fn remove_etcd(root: &Path) -> std::io::Result<()> {
    for program in ["etcd", "etcdctl", "etcdutl"] {
        match fs::remove_file(root.join("usr/bin").join(program)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
