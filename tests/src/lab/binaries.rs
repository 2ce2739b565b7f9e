//! Finds the programs that a lab runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The tree that this was built from.
const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// etcd: as given, or as installed by `make setup`.
///
/// # Errors
/// It is not there.
pub fn etcd(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = match (given, std::env::var_os("QUORATE_ETCD")) {
        (Some(path), _) => path.to_owned(),
        (None, Some(path)) => PathBuf::from(path),
        (None, None) => Path::new(TREE).join("target/tools/etcd/usr/bin/etcd"),
    };
    let there = path.canonicalize().ok().filter(|path| path.is_file());
    there.with_context(|| format!("there is no etcd at {}: run `make setup`, or give its path with --etcd", path.display()))
}

/// etcd's version, as it says itself.
///
/// # Errors
/// It cannot be run, or does not say.
pub async fn etcd_version(etcd: &Path) -> anyhow::Result<String> {
    let output = tokio::process::Command::new(etcd).arg("--version").output().await;
    let output = output.with_context(|| format!("cannot run {} --version", etcd.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.lines().find_map(|line| line.strip_prefix("etcd Version: ")).map(|version| version.trim().to_owned());
    version.with_context(|| format!("{} --version does not say a version: is it etcd?", etcd.display()))
}

/// The tool that restores a snapshot with this etcd.
#[must_use]
pub fn restore_tool(etcd: &Path) -> Option<PathBuf> {
    let beside = ["etcdutl", "etcdctl"].map(|name| etcd.with_file_name(name)).into_iter().find(|path| path.is_file());
    beside.or_else(|| std::env::var_os("QUORATE_ETCDCTL").map(PathBuf::from))
}

/// etcd's own client, with which the agent's work is compared.
///
/// # Errors
/// It is not there.
pub fn etcdctl(etcd: &Path) -> anyhow::Result<PathBuf> {
    let beside = etcd.with_file_name("etcdctl");
    let found = if beside.is_file() { Some(beside) } else { std::env::var_os("QUORATE_ETCDCTL").map(PathBuf::from) };
    found.with_context(|| format!("there is no etcdctl beside {}: put it there, or set QUORATE_ETCDCTL to its path", etcd.display()))
}

/// The agent.
///
/// # Errors
/// It was not built.
pub fn quorate() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("QUORATE_BIN") {
        return Ok(PathBuf::from(path));
    }
    match built("quorate") {
        Some(path) => Ok(path),
        None => bail!("the agent was not built: run `cargo build --profile lab --bins`, or set QUORATE_BIN to its path"),
    }
}

/// The stand-in for k3s.
///
/// # Errors
/// It was not built.
pub fn k3s() -> anyhow::Result<PathBuf> {
    match built("k3s-stand-in") {
        Some(path) => Ok(path),
        None => bail!("the stand-in for k3s was not built: run `cargo build --profile lab --bins`"),
    }
}

/// This crate's own binary, if it was built.
pub(super) fn lab() -> Option<PathBuf> {
    built("quorate-lab")
}

/// Beside the running program, or beside the directory `deps` that test programs are in.
fn built(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let directory = own.parent()?;
    let directory = if directory.ends_with("deps") { directory.parent()? } else { directory };
    let candidates = [directory.join(name), Path::new(TREE).join("target/lab").join(name)];
    candidates.into_iter().find(|path| path.is_file())
}
