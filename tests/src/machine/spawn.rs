//! systemd-nspawn, and the cgroup that a machine is killed and frozen by.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::process::{Child, Command};

use super::command::run;
use super::network::{BRIDGE, port};

/// nspawn's exit status when the machine wants to be booted again.
pub(super) const REBOOT: i32 = 133;

/// A machine's cgroup.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// Named as the unit that machined expects.
    pub(super) fn of(world: &Path, machine: &str) -> Self {
        Self(world.join(format!("{machine}.service")))
    }

    /// Makes it, and removes what is left of an earlier boot: where a cgroup was killed once, a later systemd starts nothing in the new ones below it
    /// (`findings/linux-cgroup-kill-outlives-its-processes.sh`).
    fn renew(&self) -> std::io::Result<()> {
        remove(&self.0)?;
        fs::create_dir_all(&self.0)
    }

    pub(super) fn freeze(&self, frozen: bool) -> std::io::Result<()> {
        fs::write(self.0.join("cgroup.freeze"), if frozen { "1" } else { "0" })
    }

    /// Kills every process in it, and returns when they are gone. Killing nspawn alone would leave its PID 1 alive.
    pub(super) fn kill(&self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        let Ok(mut events) = File::open(self.0.join("cgroup.events")) else { return };
        // The kernel reports a change of this file to a process that has read it: cgroups(7).
        let mut looks = 0;
        while populated(&mut events) && looks < 50 {
            let _ = poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&LOOK));
            looks += 1;
        }
    }
}

/// Removes an empty cgroup, and those in it.
fn remove(path: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The longest wait for the end of a cgroup before it is looked at again.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

fn populated(events: &mut File) -> bool {
    let mut text = String::new();
    let read = events.rewind().and_then(|()| events.read_to_string(&mut text));
    read.is_ok() && text.contains("populated 1")
}

/// What a machine is booted with.
#[derive(Debug)]
pub(super) struct Boot<'a> {
    pub(super) name: &'a str,
    pub(super) root: &'a Path,
    pub(super) console: &'a Path,
    /// A directory outside, and where the machine finds it.
    pub(super) bind: (&'a str, &'a str),
    /// What systemd-sysext finds there, on a `/usr` that nobody can write.
    pub(super) extension: Option<&'a Path>,
    pub(super) cgroup: &'a Cgroup,
}

impl Boot<'_> {
    /// Switches it on. The process ends with 0 when the machine is off, with [`REBOOT`] when it wants to be booted again.
    pub(super) fn spawn(&self) -> anyhow::Result<Child> {
        self.cgroup.renew().context("cannot make a cgroup")?;
        let log = OpenOptions::new().create(true).append(true).open(self.console)?;
        // The shell moves itself into the cgroup before it becomes nspawn: a parent could only do so too late.
        let mut command = Command::new("sh");
        command.args(["-c", "echo 0 >\"$0\" && exec systemd-nspawn \"$@\""]).arg(self.cgroup.0.join("cgroup.procs"));
        command.args(["--quiet", "--boot", "--register=yes"]);
        command.arg(format!("--machine={}", self.name)).arg(format!("--directory={}", self.root.display()));
        command.arg(format!("--network-bridge={BRIDGE}")).arg(format!("--bind={}:{}", self.bind.0, self.bind.1));
        // There is no systemd outside that could make a scope; and so a reboot ends nspawn.
        command.arg("--keep-unit");
        // Otherwise IPAddressDeny= and DeviceAllow= are silently not enforced.
        command.arg("--system-call-filter=bpf");
        // The machine is to be left as it is, and there is no terminal here.
        command.args(["--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe"]);
        if let Some(extension) = self.extension {
            command.arg(format!("--bind-ro={}:/usr", self.root.join("usr").display()));
            command.arg(format!("--bind-ro={}:/etc/extensions/quorate", extension.display()));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        command.spawn().context("cannot run systemd-nspawn")
    }
}

/// PID 1 of a machine, as it is known outside.
pub(super) fn leader(nspawn: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
    let is_init = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "systemd");
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_init)
}

/// What nspawn would have done, had it not been killed.
pub(super) fn bury(machine: &str) {
    let arguments = ["org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager", "UnregisterMachine", "s"];
    let _ = run("busctl", &[&["call"], &arguments[..], &[machine]].concat());
    // The kernel takes its time over a dead network namespace: the next boot would find the interface still there.
    let _ = run("ip", &["link", "del", &port(machine)]);
}
