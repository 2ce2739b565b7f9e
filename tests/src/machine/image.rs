//! What machines are launched from: a stock Debian with the package installed, or one that an image extends.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::command::run;

/// A directory with a stock Debian.
const TREE: &str = "QUORATE_MACHINE_TREE";
/// A directory with the package in `installed/`, in `newer/` as a later version, and in `extension/` as an image for systemd-sysext.
const PACKAGES: &str = "QUORATE_MACHINE_PACKAGES";
/// Where the image is, for as long as the world exists.
const IMAGE: &str = "/run/image";
/// What is in the extension image.
const EXTENSION: &str = "/run/extension";

/// How a machine comes by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Debian, with the package installed.
    Packaged,
    /// As on Flatcar, `/usr` is read-only and has no etcd. An image that systemd-sysext merges at boot brings agent and etcd.
    Extended,
}

/// The agent's packages.
#[derive(Clone, Debug)]
pub struct Packages {
    /// What the machines have.
    pub installed: PathBuf,
    /// A later version, to upgrade to.
    pub newer: PathBuf,
    /// The image for systemd-sysext.
    pub extension: PathBuf,
}

impl Packages {
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        let directory = PathBuf::from(std::env::var_os(PACKAGES).with_context(|| format!("{PACKAGES} is not set"))?);
        let of = |name: &str, kind| found(&directory.join(name), kind);
        Ok(Self { installed: of("installed", "deb")?, newer: of("newer", "deb")?, extension: of("extension", "raw")? })
    }
}

fn found(directory: &Path, kind: &str) -> anyhow::Result<PathBuf> {
    let files = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut paths = files.flatten().map(|file| file.path());
    let package = paths.find(|path| path.extension().is_some_and(|extension| extension == kind));
    package.with_context(|| format!("there is no package in {}", directory.display()))
}

/// The lower layers of the machines' disks.
#[derive(Clone, Debug)]
pub(super) struct Image {
    layers: String,
    /// What extends it.
    extension: Option<&'static Path>,
}

impl Image {
    /// The image for such machines. What it takes is done once in a world.
    pub(super) fn prepare(system: System, packages: &Packages) -> anyhow::Result<Self> {
        let tree = std::env::var(TREE).with_context(|| format!("{TREE} is not set"))?;
        match system {
            System::Packaged => Self::packaged(tree, packages),
            System::Extended => Ok(Self { layers: tree, extension: Some(unpacked(packages)?) }),
        }
    }

    fn packaged(tree: String, packages: &Packages) -> anyhow::Result<Self> {
        let image = Path::new(IMAGE);
        let installed = Self { layers: format!("{IMAGE}/upper:{tree}"), extension: None };
        if image.join("done").exists() {
            return Ok(installed);
        }
        Self { layers: tree, extension: None }.mount(image)?;
        let root = image.join("root");
        fs::copy(&packages.installed, root.join("quorate.deb")).context("cannot copy the package")?;
        let done = run("chroot", &[root.as_os_str(), "dpkg".as_ref(), "--install".as_ref(), "/quorate.deb".as_ref()]);
        fs::remove_file(root.join("quorate.deb"))?;
        run("umount", &[&root])?;
        done?;
        fs::write(image.join("done"), "")?;
        Ok(installed)
    }

    /// What its machines are extended by.
    pub(super) fn extension(&self) -> Option<&'static Path> {
        self.extension
    }

    /// A writable copy at `directory/root`, in some milliseconds: its upper layer is in memory, where fsync takes no time.
    pub(super) fn mount(&self, directory: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(directory)?;
        let path = directory.display();
        ensure!(!directory.join("root").exists(), "{path} is in use");
        run("mount", &["-t", "tmpfs", "-o", "mode=755,size=2g", "disk", &path.to_string()])?;
        for name in ["upper", "work", "root"] {
            fs::create_dir(directory.join(name))?;
        }
        let options = format!("lowerdir={},upperdir={path}/upper,workdir={path}/work", self.layers);
        run("mount", &["-t", "overlay", "-o", &options, "disk", &format!("{path}/root")])?;
        Ok(())
    }
}

/// Unpacked, because all machines would share the loop devices of the machine outside.
fn unpacked(packages: &Packages) -> anyhow::Result<&'static Path> {
    let directory = Path::new(EXTENSION);
    if !directory.exists() {
        // SELinux's labels are for a kernel that has it.
        let options = ["-quiet", "-no-progress", "-no-xattrs", "-dest"].map(OsStr::new);
        run("unsquashfs", &[&options[..], &[directory.as_os_str(), packages.extension.as_os_str()]].concat())?;
    }
    Ok(directory)
}
