//! `k3s server --cluster-reset`, with or without a snapshot (k3s `pkg/etcd/etcd.go` Reset and Restore, `pkg/cluster/managed.go`, `pkg/cli/server/server.go`).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use etcd_client::Client;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::api::Api;
use super::beside::Beside;
use super::bootstrap::Bootstrap;
use super::config::Config;
use super::disk::{self, Disk};
use super::duties::objects;
use super::etcd::{self, Begin, Etcd};
use super::token::Token;
use super::upstream::Servers;
use super::{log, start, vault};
use crate::kubernetes::User;
use crate::wire::Clock;

const LOOK: Duration = Duration::from_millis(200);
const DONE: &str = "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. \
                    Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes";

/// Makes one member of what lies here, or of a snapshot, and ends.
///
/// # Errors
/// Everything that k3s considers fatal. What was done until then stays.
pub(super) async fn run(config: &Config, beside: &Beside, snapshot: Option<&Path>) -> anyhow::Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    let disk = Disk::new(&config.data_dir);
    let token = token(config, &disk, snapshot)?;
    // Where there are none yet, etcd runs for the moment with new ones.
    Bootstrap::of_new_cluster(&disk)?.install(&disk, config)?;
    let name = start::member_name(&disk, &config.node_name)?;
    match snapshot {
        // This takes precedence over a flag too.
        Some(snapshot) => restore(beside, &disk, config, &name, snapshot).await?,
        None => ensure!(!disk.reset_flag().exists(), "{}", already(&disk)),
    }
    std::fs::remove_file(disk.name()).or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let name = start::member_name(&disk, &config.node_name)?;
    disk::write(&disk.reset_flag(), "", 0o600)?;
    let mut etcd = Etcd::start(beside, &disk, config, &name, &Begin::Alone)?;
    let read = tokio::select! {
        ended = etcd.ended(&disk) => ended.and_then(|()| bail!("etcd ended")),
        read = alone(&disk, config, beside, &name, &token, snapshot.is_some()) => read,
        _ = stop.recv() => Err(anyhow::anyhow!("it was told to end")),
    };
    etcd.stop().await;
    if let Some(bootstrap) = read? {
        put_in_place(&disk, config, &bootstrap, &token)?;
    }
    log::info(DONE);
    Ok(())
}

fn token(config: &Config, disk: &Disk, snapshot: Option<&Path>) -> anyhow::Result<Token> {
    let set = "cannot perform cluster-reset while server URL is set - remove server from configuration before resetting";
    ensure!(config.server.is_none(), set);
    let file = disk.token("token");
    let kept = disk::read(&file)?;
    let lacks = || format!("{} does not exist, please pass --token to complete the restoration", file.display());
    if let Some(snapshot) = snapshot {
        // A `token-file` is not looked at here.
        ensure!(config.token_given || kept.is_some(), lacks());
        ensure!(snapshot.exists(), "etcd: snapshot path does not exist: {}", snapshot.display());
        ensure!(!snapshot.is_dir(), "etcd: snapshot path must be a file, not a directory: {}", snapshot.display());
    }
    Token::parse(config.token.as_deref().or(kept.as_deref()).with_context(lacks)?.trim(), "server")
}

fn already(disk: &Disk) -> String {
    format!(
        "Managed etcd cluster membership was previously reset, please remove the cluster-reset flag and start k3s normally. If you need to perform \
         another cluster reset, you must first manually delete the {} file",
        disk.reset_flag().display()
    )
}

/// k3s has etcd's tool in itself. It names no token, so the cluster's id depends on the address alone.
async fn restore(beside: &Beside, disk: &Disk, config: &Config, name: &str, snapshot: &Path) -> anyhow::Result<()> {
    let (etcd, peer) = (disk.etcd(), etcd::peer_url(config.node_ip));
    let old = etcd.with_file_name(format!("etcd-old-{}", Clock::new().now().0 / 1000));
    std::fs::rename(&etcd, &old).with_context(|| format!("cannot move {} aside", etcd.display()))?;
    log::info(&format!("Pre-restore etcd database moved to {}", old.display()));
    let mut command = Command::new(tool(beside)?);
    command.args(["snapshot", "restore"]).arg(snapshot).arg("--data-dir").arg(&etcd).args(["--name", name]);
    command.args(["--initial-cluster", &format!("{name}={peer}"), "--initial-advertise-peer-urls", &peer, "--initial-cluster-token="]);
    let output = command.env_clear().env("ETCDCTL_API", "3").stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.context("cannot run etcd's tool")?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "etcd: {}", message.lines().last().unwrap_or_default());
    Ok(())
}

fn tool(beside: &Beside) -> anyhow::Result<PathBuf> {
    let tools = ["etcdutl", "etcdctl"].map(|tool| beside.etcd.with_file_name(tool));
    let tool = tools.into_iter().find(|tool| tool.exists()).or_else(|| beside.restore_tool.clone());
    tool.context("neither etcdutl nor etcdctl is beside etcd")
}

/// Waits until etcd serves as the one member, and reads what is encrypted in it.
async fn alone(
    disk: &Disk,
    config: &Config,
    beside: &Beside,
    name: &str,
    token: &Token,
    restored: bool,
) -> anyhow::Result<Option<Bootstrap>> {
    let mut client = etcd::client(disk, &[etcd::client_url(config.bind)]).await?;
    while !is_alone(&mut client, config, name).await {
        tokio::time::sleep(LOOK).await;
    }
    let bootstrap = vault::read(&mut client, token).await?;
    if restored && let Some(version) = objects::kept(&mut client).await? {
        let api = Api::new(Arc::new(Servers::plain(&beside.kubernetes)?), User::Admin);
        api.go_back(&version).await?;
    }
    Ok(bootstrap)
}

/// A member keeps the address that it had; etcd is given another one if it changed.
async fn is_alone(client: &mut Client, config: &Config, name: &str) -> bool {
    // A read through the quorum of one: until then there is no leader.
    if client.get("health", None).await.is_err() {
        return false;
    }
    let Ok(list) = client.member_list().await else { return false };
    let [member] = list.members() else { return false };
    let peer = etcd::peer_url(config.node_ip);
    if !member.peer_urls().contains(&peer) {
        // The next look shows whether it was taken.
        let _ = client.member_update(member.id(), [peer]).await;
        return false;
    }
    member.name() == name
}

fn put_in_place(disk: &Disk, config: &Config, bootstrap: &Bootstrap, token: &Token) -> anyhow::Result<()> {
    let (tls, seconds) = (disk.tls(""), Clock::new().now().0 / 1000);
    let backup = tls.with_file_name(format!("tls-{seconds}"));
    log::info(&format!("Cluster reset: backing up certificates directory to {}", backup.display()));
    std::fs::rename(&tls, &backup).with_context(|| format!("cannot move {} aside", tls.display()))?;
    bootstrap.install(disk, config)?;
    disk::write(&disk.token("token"), &format!("{}\n", token.full(&bootstrap.server.certificate)), 0o600)
}
