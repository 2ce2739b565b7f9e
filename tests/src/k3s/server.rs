//! A server, from its start to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::http::HeaderMap;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use super::api::Api;
use super::beside::Beside;
use super::bootstrap::Bootstrap;
use super::config::Config;
use super::disk::{self, Disk};
use super::duties::Duties;
use super::etcd::{self, Begin, Etcd, Initial};
use super::gate::Gate;
use super::kubelet::Kubelet;
use super::start::{self, Start};
use super::supervisor::{EtcdClient, Supervisor};
use super::token::{self, Token};
use super::upstream::Servers;
use super::{join, listen, log, password, role, vault};
use crate::kubernetes::{User, kubeconfig_trusting};

const PORT: u16 = 6443;
/// Between two checks whether the API answers, before systemd is notified.
const READY_LOOK: Duration = Duration::from_millis(100);

/// A server about to start its etcd.
struct Server {
    config: Config,
    beside: Beside,
    disk: Disk,
    /// etcd's name of this member.
    name: String,
    begin: Begin,
    /// It is the first start after a reset.
    was_reset: bool,
    bootstrap: Arc<Bootstrap>,
    token: Token,
    gate: Gate,
    api: Api,
    etcd: EtcdClient,
}

/// Runs until SIGTERM, or until something ends it.
///
/// # Errors
/// Everything that k3s considers fatal.
pub(super) async fn run(config: Config, beside: Beside) -> anyhow::Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    let server = tokio::select! {
        server = prepare(config, beside) => server?,
        _ = stop.recv() => return Ok(()),
    };
    let mut etcd = Etcd::start(&server.beside, &server.disk, &server.config, &server.name, &server.begin)?;
    let ended = tokio::select! {
        ended = etcd.ended(&server.disk) => ended,
        failed = server.live() => failed,
        _ = stop.recv() => Ok(()),
    };
    etcd.stop().await;
    ended
}

async fn prepare(config: Config, beside: Beside) -> anyhow::Result<Server> {
    let disk = Disk::new(&config.data_dir);
    let start = start::decide(&config, &disk)?;
    let (token, bootstrap, others) = credentials(&start, &config, &disk).await?;
    bootstrap.install(&disk, &config)?;
    disk::write(&disk.token("token"), &format!("{}\n", token.full(&bootstrap.server.certificate)), 0o600)?;
    disk::write(&disk.token("cred/passwd"), &format!("{},server,server,k3s:server\n", token.password), 0o600)?;
    let url = format!("https://{}", SocketAddr::new(config.bind, PORT));
    let admin = kubeconfig_trusting(&url, &User::Admin, &bootstrap.server.certificate);
    disk::write(&config.kubeconfig, &admin, config.kubeconfig_mode)?;
    let name = start::member_name(&disk, &config.node_name)?;
    let kubernetes = Arc::new(Servers::plain(&beside.kubernetes)?);
    let api = Api::new(kubernetes.clone(), User::Admin);
    let etcd = EtcdClient(etcd::client(&disk, &[etcd::client_url(config.bind)]).await?);
    let (gate, bootstrap) = (Gate::default(), Arc::new(bootstrap));
    let agent_token = config.agent_token.as_deref().map(|text| Token::parse(text, "node")).transpose()?;
    let answers = (bootstrap.clone(), token.clone(), gate.clone(), api.clone(), etcd.clone());
    let supervisor =
        Supervisor { bootstrap: answers.0, token: answers.1, agent_token, gate: answers.2, api: answers.3, kubernetes, etcd: answers.4 };
    listen::serve(SocketAddr::new(config.bind, PORT), &bootstrap.serving(&config)?, supervisor.router()).await?;
    let begin = match (&start, others) {
        (Start::Found, _) => Begin::With(Initial { cluster: format!("{name}={}", etcd::peer_url(config.node_ip)), state: "new" }),
        (Start::Join(_), Some(servers)) => Begin::With(join::admitted(&servers, &token, &disk, &config, &name).await?),
        _ => Begin::Resume,
    };
    let was_reset = std::fs::remove_file(disk.reset_flag()).is_ok();
    Ok(Server { config, beside, disk, name, begin, was_reset, bootstrap, token, gate, api, etcd })
}

/// The token and the authorities, and for a joiner the server that it got them from.
async fn credentials(start: &Start, config: &Config, disk: &Disk) -> anyhow::Result<(Token, Bootstrap, Option<Servers>)> {
    let kept = disk::read(&disk.token("token"))?.map(|text| Token::parse(text.trim(), "server")).transpose()?;
    let given = config.token.as_deref();
    match start {
        Start::Found => {
            let bootstrap = Bootstrap::of_new_cluster(disk)?;
            let token = match (given, kept) {
                (Some(text), _) => token::of_founder(text)?,
                (None, Some(kept)) => kept,
                (None, None) => token::of_founder(&disk::random_hex(16)?)?,
            };
            Ok((token, bootstrap, None))
        }
        Start::Resume => {
            let bootstrap = Bootstrap::read(disk)?.context("etcd's data are there, but not the certificates of server/tls")?;
            let kept = kept.context("etcd's data are there, but not server/token")?;
            let given = given.map(|text| Token::parse(text, "server")).transpose()?;
            let same = given.is_none_or(|given| given.password == kept.password);
            ensure!(same, "bootstrap data already found and encrypted with different token");
            Ok((kept, bootstrap, None))
        }
        Start::Join(server) => {
            let token = Token::parse(given.context("--token is required to join a cluster")?, "server")?;
            log::info(&format!("Managed etcd cluster not yet initialized: joining through {server}"));
            let servers = Servers::trusting(server, &token).await.context("failed to validate token")?;
            let text =
                servers.ask("/v1-k3s/server-bootstrap", &token, HeaderMap::new()).await.context("failed to bootstrap cluster data")?;
            Ok((token, serde_json::from_str(&text).context("failed to read the bootstrap data")?, Some(servers)))
        }
    }
}

impl Server {
    /// Everything beside etcd itself; ends only when something is broken for good.
    async fn live(&self) -> anyhow::Result<()> {
        if self.config.etcd_alone {
            return self.etcd_alone().await;
        }
        let duties = Duties { api: self.api.clone(), gate: self.gate.clone(), disk: self.disk.clone(), pace: self.beside.pace };
        tokio::select! {
            () = self.gate.watch(self.etcd.0.clone()) => Ok(()),
            () = duties.run(self.etcd.0.clone()) => Ok(()),
            () = self.tell_systemd() => Ok(()),
            failed = self.keep_bootstrap() => failed,
            () = role::keep(&self.api, &self.gate, &self.config, &self.name) => Ok(()),
            failed = self.kubelet() => failed,
        }
    }

    /// There is no API server (its gate stays shut), no controller and no kubelet.
    async fn etcd_alone(&self) -> anyhow::Result<()> {
        let mut client = self.etcd.0.clone();
        while client.get("health", None).await.is_err() {
            tokio::time::sleep(READY_LOOK).await;
        }
        log::info("ETCD server is now running, and nothing else");
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        std::future::pending().await
    }

    /// The unit of a server is `Type=notify`: its start is over when the API answers.
    async fn tell_systemd(&self) {
        while !self.gate.is_open() {
            tokio::time::sleep(READY_LOOK).await;
        }
        log::info("k3s is up and running");
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        std::future::pending().await
    }

    /// What a later restore needs lies in etcd, encrypted with the token. After a restore etcd may know another password for this node.
    async fn keep_bootstrap(&self) -> anyhow::Result<()> {
        while !self.gate.is_open() {
            tokio::time::sleep(READY_LOOK).await;
        }
        let mut client = self.etcd.0.clone();
        if self.was_reset {
            password::forget(&mut client, &self.config.node_name).await?;
        }
        while let Err(error) = vault::keep(&mut client, &self.token, &self.bootstrap).await {
            log::error(&format!("{error:#}"));
            tokio::time::sleep(READY_LOOK).await;
        }
        std::future::pending().await
    }

    /// Its own API server comes first; until that answers, the one that it joined through.
    async fn kubelet(&self) -> anyhow::Result<()> {
        let own = format!("https://{}", SocketAddr::new(self.config.bind, PORT));
        let urls = [Some(own.clone()), self.config.server.clone()].into_iter().flatten().collect();
        let servers = Arc::new(Servers::of(urls, &self.bootstrap.server.certificate)?);
        let kubelet = Kubelet { config: &self.config, beside: &self.beside, disk: &self.disk, servers, token: &self.token };
        kubelet.admitted().await;
        kubelet.run(&own).await
    }
}
