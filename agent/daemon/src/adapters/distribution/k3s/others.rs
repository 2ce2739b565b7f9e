//! The operator's own configuration of k3s, beside the agent's file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::yaml;
use crate::adapters::service_manager::{ServiceError, read};

/// The keys that decide which cluster a server is in, and what its etcd is: a file that says otherwise would found a second cluster, or none.
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

/// Checks `main` and every other file of the agent's directory.
pub(super) fn check(main: &Path, own: &Path) -> Result<(), ServiceError> {
    let mut files = vec![main.to_owned()];
    files.extend(neighbours(own)?);
    for path in files {
        let text = read(&path)?.unwrap_or_default();
        if let Some(key) = yaml::keys(&text).find(|key| is_ours(key.trim_end_matches('+'))) {
            return Err(ServiceError::Conflict { key: key.to_owned(), path });
        }
    }
    Ok(())
}

fn is_ours(key: &str) -> bool {
    OURS.contains(&key)
}

/// Checks the words after `k3s server` or `k3s agent`; `main` is the configuration file that has to be read.
pub(super) fn check_arguments(unit: &str, arguments: &[String], main: &Path) -> Result<(), ServiceError> {
    for (at, word) in arguments.iter().enumerate() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        let name = long(name);
        let next = || arguments.get(at + 1).map(String::as_str);
        let reads_another = || value.or_else(next).is_none_or(|file| Path::new(file) != main);
        if is_ours(name) || (name == "config" && reads_another()) {
            return Err(ServiceError::Conflict { key: format!("--{name}"), path: unit.into() });
        }
    }
    Ok(())
}

/// The long name of a flag that also has a short one (k3s `pkg/cli/cmds`).
fn long(name: &str) -> &str {
    match name {
        "c" => "config",
        "s" => "server",
        "t" => "token",
        name => name,
    }
}

/// The other files that k3s reads: `*.yaml` and `*.yml`.
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
