//! `quorate etcdctl`: etcd's own tool, pointed at this cluster.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::config::Settings;
use crate::endpoints;

/// Becomes etcdctl. Its environment is the agent's endpoints file, which names the certificates too; what the caller has set takes precedence.
///
/// # Errors
/// The agent has written no endpoints yet, or there is no etcdctl.
pub fn run(settings: &Settings, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let path = settings.paths.run_dir.join(endpoints::FILE);
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| {
        format!("{} cannot be read: the agent writes it once it knows a voter; run this as root on a member", path.display())
    })?;
    let tool = beside(&settings.etcd.binary);
    let mut command = Command::new(&tool);
    command.args(arguments).env("ETCDCTL_API", "3");
    for (name, value) in endpoints::parse(&text) {
        if std::env::var_os(&name).is_none() {
            command.env(name, value);
        }
    }
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {}: install etcdctl beside etcd, or in PATH", tool.display()))
}

/// etcdctl beside this etcd, or else from `PATH`.
fn beside(etcd: &std::path::Path) -> PathBuf {
    let beside = etcd.parent().filter(|dir| !dir.as_os_str().is_empty()).map(|dir| dir.join("etcdctl"));
    beside.filter(|path| path.exists()).unwrap_or_else(|| "etcdctl".into())
}
