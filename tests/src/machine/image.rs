//! The image that machines are launched from: a stock Debian with the package installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::command::run;

/// A directory with a stock Debian.
const TREE: &str = "QUORATE_MACHINE_TREE";
/// A directory with the package in `installed/`, and in `newer/` as a later version.
const PACKAGES: &str = "QUORATE_MACHINE_PACKAGES";
/// Where the image is, for as long as the world exists.
const IMAGE: &str = "/run/image";

/// The agent's packages.
#[derive(Clone, Debug)]
pub struct Packages {
    /// What the machines have.
    pub installed: PathBuf,
    /// A later version, to upgrade to.
    pub newer: PathBuf,
}

impl Packages {
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        let directory = PathBuf::from(std::env::var_os(PACKAGES).with_context(|| format!("{PACKAGES} is not set"))?);
        Ok(Self { installed: deb(&directory.join("installed"))?, newer: deb(&directory.join("newer"))? })
    }
}

fn deb(directory: &Path) -> anyhow::Result<PathBuf> {
    let files = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let debs = files.flatten().map(|file| file.path());
    let deb = debs.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    deb.with_context(|| format!("there is no package in {}", directory.display()))
}

/// The lower layers of the machines' disks.
#[derive(Clone, Debug)]
pub(super) struct Image {
    layers: String,
}

impl Image {
    /// Installs the package on the stock system, once in a world.
    pub(super) fn prepare(packages: &Packages) -> anyhow::Result<Self> {
        let tree = std::env::var(TREE).with_context(|| format!("{TREE} is not set"))?;
        let image = Path::new(IMAGE);
        let installed = Self { layers: format!("{IMAGE}/upper:{tree}") };
        if image.join("done").exists() {
            return Ok(installed);
        }
        Self { layers: tree }.mount(image)?;
        let root = image.join("root");
        fs::copy(&packages.installed, root.join("quorate.deb")).context("cannot copy the package")?;
        let done = run("chroot", &[root.as_os_str(), "dpkg".as_ref(), "--install".as_ref(), "/quorate.deb".as_ref()]);
        fs::remove_file(root.join("quorate.deb"))?;
        run("umount", &[&root])?;
        done?;
        fs::write(image.join("done"), "")?;
        Ok(installed)
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
