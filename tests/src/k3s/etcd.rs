//! etcd: its configuration, its process, and a client for it.

use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::process::{Child, Command};

use super::beside::Beside;
use super::config::Config;
use super::disk::{self, Disk};
use super::log;

/// No call within a computer or a rack takes longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// etcd hands its lead over when it is asked to stop.
const ORDERLY: Duration = Duration::from_secs(15);

/// How a member without a WAL begins.
#[derive(Clone, Debug)]
pub(super) struct Initial {
    /// `name=url,…`
    pub(super) cluster: String,
    /// `new` or `existing`.
    pub(super) state: &'static str,
}

/// How etcd begins.
#[derive(Clone, Debug)]
pub(super) enum Begin {
    /// Without a WAL.
    With(Initial),
    /// On its WAL.
    Resume,
    /// On its WAL, as the only member, and reached from this computer alone. k3s: 127.0.0.1, which many nodes of the lab share, so it is `bind-address`.
    Alone,
}

/// A running etcd. It ends with this process, however that ends.
#[derive(Debug)]
pub(super) struct Etcd {
    child: Child,
}

impl Etcd {
    pub(super) fn start(beside: &Beside, disk: &Disk, config: &Config, name: &str, begin: &Begin) -> anyhow::Result<Self> {
        let file = disk.etcd().join("config");
        disk::write(&file, &configuration(beside, disk, config, name, begin).to_string(), 0o600)?;
        let own = std::env::current_exe().context("cannot find the stand-in itself")?;
        let mut command = Command::new(own);
        command.arg("etcd").arg(std::process::id().to_string()).arg(&beside.etcd).arg(&file);
        // k3s' etcd reads no environment of its own.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD_")) {
            command.env_remove(name);
        }
        let child = command.stdin(Stdio::null()).kill_on_drop(true).spawn().context("cannot start etcd")?;
        Ok(Self { child })
    }

    /// Returns when etcd has ended on its own: removed, or for a reason that ends k3s too.
    pub(super) async fn ended(&mut self, disk: &Disk) -> anyhow::Result<()> {
        let status = self.child.wait().await.context("cannot wait for etcd")?;
        // etcd exits with 0 in one case only: it has been removed.
        if status.success() {
            std::fs::write(disk.tombstone(), "")
                .with_context(|| format!("failed to write tombstone file to {}", disk.tombstone().display()))?;
            bail!("this node has been removed from the cluster please restart k3s to rejoin the cluster");
        }
        bail!("etcd ended: {status}");
    }

    /// Asks etcd to stop, and waits for it.
    pub(super) async fn stop(&mut self) {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // One that has just ended needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(ORDERLY, self.child.wait()).await.is_err() {
            log::error("etcd does not stop; it is killed");
            let _ = self.child.kill().await;
        }
    }
}

/// As k3s writes it to `server/db/etcd/config`; JSON is YAML. There is no `initial-cluster-token`: k3s gives none.
fn configuration(beside: &Beside, disk: &Disk, config: &Config, name: &str, begin: &Begin) -> serde_json::Value {
    let (client, peer) = (client_url(config.node_ip), peer_url(config.node_ip));
    // k3s listens on 127.0.0.1 besides, which many nodes of the lab share.
    let (own, local) = (client_url(config.node_ip), client_url(config.bind));
    let clients = if matches!(begin, Begin::Alone) || own == local { local } else { format!("{own},{local}") };
    let listen = if matches!(begin, Begin::Alone) { config.bind } else { config.node_ip };
    let tls = |pair: &str, authority: &str| {
        json!({
            "cert-file": disk.tls(&format!("etcd/{pair}.crt")), "key-file": disk.tls(&format!("etcd/{pair}.key")),
            "client-cert-auth": true, "trusted-ca-file": disk.tls(&format!("etcd/{authority}.crt")),
        })
    };
    let mut file = json!({
        "name": name,
        "data-dir": disk.etcd(),
        "listen-client-urls": clients,
        "advertise-client-urls": client,
        "listen-peer-urls": peer_url(listen),
        "heartbeat-interval": beside.pace.heartbeat_ms,
        "election-timeout": beside.pace.election_ms,
        "experimental-initial-corrupt-check": true,
        "client-transport-security": tls("server-client", "server-ca"),
        "peer-transport-security": tls("peer-server-client", "peer-ca"),
        "initial-advertise-peer-urls": peer,
    });
    if let Begin::With(initial) = begin {
        file["initial-cluster"] = initial.cluster.as_str().into();
        file["initial-cluster-state"] = initial.state.into();
    } else {
        // With a WAL etcd reads none of this, but checks that its own name is in it.
        file["initial-cluster"] = format!("{name}={peer}").into();
        file["force-new-cluster"] = matches!(begin, Begin::Alone).into();
    }
    for (key, value) in &config.etcd_args {
        file[key] = value.as_str().into();
    }
    file
}

pub(super) fn client_url(address: IpAddr) -> String {
    format!("https://{}", SocketAddr::new(address, 2379))
}

pub(super) fn peer_url(address: IpAddr) -> String {
    format!("https://{}", SocketAddr::new(address, 2380))
}

/// A client with the client certificate on the disk. It dials when it is used, and dials again when it has to.
pub(super) async fn client(disk: &Disk, endpoints: &[String]) -> anyhow::Result<Client> {
    let file = |name: &str| disk::read(&disk.tls(name))?.with_context(|| format!("there is no {name}"));
    let identity = Identity::from_pem(file("etcd/client.crt")?, file("etcd/client.key")?);
    let tls = TlsOptions::new().ca_certificate(Certificate::from_pem(file("etcd/server-ca.crt")?)).identity(identity);
    let options = ConnectOptions::new().with_timeout(PATIENCE).with_connect_timeout(PATIENCE).with_tls(tls);
    Client::connect(endpoints, Some(options)).await.context("an endpoint of etcd is not understood")
}
