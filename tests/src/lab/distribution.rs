//! What an image brings along for the roles `control-plane` and `worker`: the stand-in for k3s, its baked configuration, and the token.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use quorate_core::role::Role;

use super::binaries;
use super::settings::AgentSettings;
use crate::k3s::{Beside, Pace};
use crate::region::Tag;

/// What a machine is for, as its tags said when it was launched.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    pub(crate) role: Role,
    pub(crate) cluster: String,
    /// Where the API server of its cluster answers; empty for etcd alone.
    pub(crate) kubernetes: String,
}

impl Purpose {
    pub(crate) fn of(tags: &[Tag]) -> Self {
        let tag = |key: &str| tags.iter().find(|tag| &*tag.key == key).map(|tag| &*tag.value).unwrap_or_default();
        let role = Role::parse(tag("quorate:role")).unwrap_or(Role::Etcd);
        Self { role, cluster: tag("quorate:cluster").to_owned(), kubernetes: String::new() }
    }
}

/// Where k3s and its agent find everything, as they name it themselves.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) config_dir: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) node_password: PathBuf,
    pub(crate) token_file: PathBuf,
}

impl Layout {
    /// Everything below one directory: a disk of the lab, on which each file has the place that it has on a machine.
    pub(super) fn on(disk: &Path) -> Self {
        Self::stock().on_disk(disk)
    }

    /// k3s' own places, and the token where Quorate's examples put it.
    pub(crate) fn stock() -> Self {
        Self {
            config_dir: "/etc/rancher/k3s".into(),
            data_dir: "/var/lib/rancher/k3s".into(),
            node_password: "/etc/rancher/node/password".into(),
            token_file: "/etc/quorate/token".into(),
        }
    }

    /// The same as seen from outside, on the disk whose root directory is `root`.
    pub(crate) fn on_disk(&self, root: &Path) -> Self {
        let below = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        Self {
            config_dir: below(&self.config_dir),
            data_dir: below(&self.data_dir),
            node_password: below(&self.node_password),
            token_file: below(&self.token_file),
        }
    }

    /// Writes what the image brings along, on the disk whose root directory is `root`. `etcd` is what the stand-in runs, as it names it.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub(crate) fn install(&self, root: &Path, purpose: &Purpose, etcd: &Path, pace: Pace) -> anyhow::Result<()> {
        self.bring_along(root, purpose, etcd, pace)?;
        self.configure(root, purpose)
    }

    /// What the stand-in needs besides a user's configuration.
    pub(super) fn bring_along(&self, root: &Path, purpose: &Purpose, etcd: &Path, pace: Pace) -> anyhow::Result<()> {
        let config_dir = self.on_disk(root).config_dir;
        fs::create_dir_all(&config_dir).with_context(|| format!("cannot make {}", config_dir.display()))?;
        let beside = Beside {
            etcd: etcd.to_owned(),
            restore_tool: binaries::restore_tool(etcd),
            kubernetes: purpose.kubernetes.clone(),
            node_password: self.node_password.clone(),
            pace,
        };
        beside.write(&config_dir.join("config.yaml"))
    }

    fn configure(&self, root: &Path, purpose: &Purpose) -> anyhow::Result<()> {
        let disk = self.on_disk(root);
        // It does not accept here what the agent renders, such as node-ip.
        let mut baked = format!("data-dir: {}\n", self.data_dir.display());
        if purpose.role == Role::ControlPlane {
            baked.push_str("write-kubeconfig-mode: \"0600\"\n");
        }
        let (config, token) = (disk.config_dir.join("config.yaml"), disk.token_file);
        fs::write(&config, baked).with_context(|| format!("cannot write {}", config.display()))?;
        token.parent().map_or(Ok(()), fs::create_dir_all).with_context(|| format!("cannot make a place for {}", token.display()))?;
        fs::write(&token, format!("lab-{}\n", purpose.cluster)).with_context(|| format!("cannot write {}", token.display()))?;
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).with_context(|| format!("cannot protect {}", token.display()))
    }

    /// The agent's settings for it.
    pub(crate) fn settings(&self) -> AgentSettings {
        self.places().text("kubernetes.distribution", "k3s").text("kubernetes.token_file", self.token_file.display())
    }

    /// Those that say where k3s has its files.
    pub(super) fn places(&self) -> AgentSettings {
        AgentSettings::defaults()
            .text("kubernetes.config_dir", self.config_dir.display())
            .text("kubernetes.data_dir", self.data_dir.display())
    }
}

/// k3s' configuration directory on a disk of the lab.
#[must_use]
pub fn config_dir(disk: &Path) -> PathBuf {
    Layout::on(disk).config_dir
}

/// k3s' data directory on a disk of the lab.
#[must_use]
pub fn data_dir(disk: &Path) -> PathBuf {
    Layout::on(disk).data_dir
}

/// The file with the token on a disk of the lab.
#[must_use]
pub fn token_file(disk: &Path) -> PathBuf {
    Layout::on(disk).token_file
}
