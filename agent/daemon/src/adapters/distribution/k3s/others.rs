//! The operator's own configuration of k3s, beside the agent's file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::yaml;
use crate::adapters::service_manager::{ServiceError, read};

/// What decides which cluster a server is in, and what its etcd is: a file that says otherwise would found a second cluster, or none.
const OURS: [&str; 12] = [
    "advertise-address",
    "cluster-init",
    "cluster-reset",
    "cluster-reset-restore-path",
    "datastore-endpoint",
    "disable-agent",
    "disable-etcd",
    "node-ip",
    "node-name",
    "server",
    "token",
    "with-node-id",
];

/// Looks through `main` and every other file of the agent's directory.
pub(super) fn check(main: &Path, own: &Path) -> Result<(), ServiceError> {
    let mut files = vec![main.to_owned()];
    files.extend(neighbours(own)?);
    for path in files {
        let text = read(&path)?.unwrap_or_default();
        if let Some(key) = yaml::keys(&text).find(|key| OURS.contains(&key.trim_end_matches('+'))) {
            return Err(ServiceError::Conflict { key: key.to_owned(), path });
        }
    }
    Ok(())
}

/// k3s reads `*.yaml` and `*.yml`.
fn neighbours(own: &Path) -> Result<Vec<PathBuf>, ServiceError> {
    let directory = own.parent().unwrap_or(own);
    let unreadable = |source| ServiceError::Io { operation: "list", path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let paths: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(unreadable)?;
    let is_yaml = |path: &Path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    Ok(paths.into_iter().filter(|path| path != own && is_yaml(path)).collect())
}
