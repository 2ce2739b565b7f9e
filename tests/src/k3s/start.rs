//! How a server starts: the disk first, the configuration second.

use std::path::Path;

use anyhow::{Context, bail};

use super::config::Config;
use super::disk::{self, Disk};
use super::log;
use crate::wire::Clock;

/// The number of old directories that are kept.
const BACKUPS: usize = 5;

/// How a server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// There is a WAL: `cluster-init` and `server` are ignored.
    Resume,
    /// Through this server.
    Join(String),
    /// A new cluster.
    Found,
}

/// Decides, after a tombstone has been dealt with. A tombstone with `cluster-init` and without `server` founds a second cluster: k3s#13623.
///
/// # Errors
/// A server without a WAL, `cluster-init` or `server`: k3s would run on SQLite, which is no cluster and not here.
pub(super) fn decide(config: &Config, disk: &Disk) -> anyhow::Result<Start> {
    bury(disk)?;
    match &config.server {
        _ if disk.has_wal() => Ok(Start::Resume),
        Some(server) => Ok(Start::Join(server.clone())),
        None if config.cluster_init => Ok(Start::Found),
        None => bail!("neither cluster-init nor server is set: k3s would run on SQLite, which this stand-in has not"),
    }
}

fn bury(disk: &Disk) -> anyhow::Result<()> {
    if !disk.tombstone().exists() {
        return Ok(());
    }
    log::info("tombstone file has been detected, removing data dir to rejoin the cluster");
    let (etcd, mut seconds) = (disk.etcd(), Clock::new().now().0 / 1000);
    let to = |seconds: u64| etcd.with_file_name(format!("etcd-backup-{seconds}"));
    while to(seconds).exists() {
        seconds += 1;
    }
    std::fs::rename(&etcd, to(seconds)).with_context(|| format!("cannot move {} aside", etcd.display()))?;
    thin_out(etcd.parent().unwrap_or(Path::new("/")))
}

fn thin_out(directory: &Path) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(directory)?.flatten().map(|entry| entry.path());
    let is_backup = |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("etcd-backup-"));
    let mut backups: Vec<_> = entries.filter(is_backup).collect();
    backups.sort();
    let old = backups.len().saturating_sub(BACKUPS);
    backups.iter().take(old).try_for_each(|backup| Ok(std::fs::remove_dir_all(backup)?))
}

/// The stored name of the etcd member; a new one for a new member.
pub(super) fn member_name(disk: &Disk, node_name: &str) -> anyhow::Result<String> {
    if let Some(name) = disk::read(&disk.name())? {
        return Ok(name.trim().to_owned());
    }
    let name = format!("{node_name}-{}", disk::random_hex(4)?);
    disk::write(&disk.name(), &name, 0o600)?;
    Ok(name)
}
