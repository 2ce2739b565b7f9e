//! What an image brings along for the roles `control-plane` and `worker`: the stand-in for k3s, its baked configuration, and the token.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use quorate_core::role::Role;

use super::machine::Programs;
use super::settings::AgentSettings;
use crate::k3s::Beside;

/// What a machine is for, as its tags said when it was launched.
#[derive(Clone, Debug)]
pub(super) struct Purpose {
    pub(super) role: Role,
    pub(super) cluster: String,
    /// Where the API server of its cluster answers; empty for etcd alone.
    pub(super) kubernetes: String,
}

/// k3s' configuration directory on a disk.
#[must_use]
pub fn config_dir(disk: &Path) -> PathBuf {
    disk.join("k3s/config")
}

/// k3s' data directory on a disk.
#[must_use]
pub fn data_dir(disk: &Path) -> PathBuf {
    disk.join("k3s/data")
}

/// Writes what the image brings along.
///
/// # Errors
/// The disk cannot be written.
pub(super) fn install(disk: &Path, purpose: &Purpose, programs: &Programs) -> anyhow::Result<()> {
    let config = config_dir(disk).join("config.yaml");
    fs::create_dir_all(config_dir(disk)).with_context(|| format!("cannot make {}", config_dir(disk).display()))?;
    // What the agent renders, such as node-ip, it does not suffer here.
    let mut baked = format!("data-dir: {}\n", data_dir(disk).display());
    if purpose.role == Role::ControlPlane {
        baked.push_str("write-kubeconfig-mode: \"0600\"\n");
    }
    fs::write(&config, baked).with_context(|| format!("cannot write {}", config.display()))?;
    let beside = Beside {
        etcd: programs.etcd.clone(),
        kubernetes: purpose.kubernetes.clone(),
        node_password: disk.join("k3s/node-password"),
        pace: programs.pace,
    };
    beside.write(&config)?;
    let token = token_file(disk);
    fs::write(&token, format!("lab-{}\n", purpose.cluster)).with_context(|| format!("cannot write {}", token.display()))?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).with_context(|| format!("cannot protect {}", token.display()))
}

/// The agent's settings for it.
pub(super) fn settings(disk: &Path, programs: &Programs) -> AgentSettings {
    AgentSettings::defaults()
        .text("kubernetes.distribution", "k3s")
        .text("kubernetes.binary", programs.k3s.display())
        .text("kubernetes.config_dir", config_dir(disk).display())
        .text("kubernetes.data_dir", data_dir(disk).display())
        .text("kubernetes.token_file", token_file(disk).display())
}

fn token_file(disk: &Path) -> PathBuf {
    disk.join("k3s/token")
}
