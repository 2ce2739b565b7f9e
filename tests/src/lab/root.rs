//! The directory of a lab, which is removed with it, and so is every process that was started on its machines.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use super::machine::ETCD_LOG;
use super::{binaries, processes};

/// Where the logs are copied when the lab ends; otherwise they are lost with it.
const KEEP_LOGS: &str = "QUORATE_LAB_LOGS";

/// A lab's directory. Dropping it leaves no process and no file behind.
#[derive(Debug)]
pub struct Root {
    directory: PathBuf,
    warden: Option<Child>,
}

impl Root {
    /// Makes the directory among the temporary files, and starts a warden for it.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn create() -> anyhow::Result<Self> {
        Self::create_in(&std::env::temp_dir())
    }

    /// The same in a directory of one's choice.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn create_in(place: &Path) -> anyhow::Result<Self> {
        let made = tempfile::Builder::new().prefix("quorate-lab-").tempdir_in(place);
        let directory = made.with_context(|| format!("cannot make a directory for the lab in {}", place.display()))?.keep();
        let warden = warden(&directory);
        std::fs::create_dir(directory.join("logs")).context("cannot make a directory for the logs")?;
        Ok(Self { directory, warden })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.directory
    }
}

/// The place of a machine's log: not on its disk, which is lost with it.
pub(super) fn log(root: &Path, machine: &str) -> PathBuf {
    root.join("logs").join(format!("{machine}.log"))
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Some(keep) = std::env::var_os(KEEP_LOGS) {
            copy_logs(&self.directory, &PathBuf::from(keep));
        }
        clear(&self.directory);
        if let Some(mut warden) = self.warden.take() {
            drop(warden.stdin.take());
            let _ = warden.wait();
        }
    }
}

fn clear(directory: &Path) {
    processes::sweep(directory);
    let _ = std::fs::remove_dir_all(directory);
}

fn copy_logs(directory: &Path, keep: &Path) {
    let Some(name) = directory.file_name() else { return };
    let target = keep.join(name);
    if std::fs::create_dir_all(&target).is_err() {
        return;
    }
    for log in entries(&directory.join("logs")) {
        let _ = std::fs::copy(&log, target.join(log.file_name().unwrap_or_default()));
    }
    for machine in entries(directory) {
        let name = format!("{}.etcd.log", machine.file_name().unwrap_or_default().display());
        let _ = std::fs::copy(machine.join(ETCD_LOG), target.join(name));
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

/// A second process that clears up when this one is killed before it can do so itself: it waits for the end of its input.
fn warden(directory: &Path) -> Option<Child> {
    let mut command = Command::new(binaries::lab()?);
    command.arg("warden").arg(directory).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A group of its own: ctrl-C is not meant for it.
    command.process_group(0).spawn().ok()
}

/// What the warden does.
///
/// # Errors
/// Its input cannot be read.
pub fn watch(directory: &Path) -> io::Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    clear(directory);
    Ok(())
}
