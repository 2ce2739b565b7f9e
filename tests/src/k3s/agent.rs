//! An agent: waits for a server, then runs a kubelet behind a load balancer of its own, as k3s agents do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use tokio::signal::unix::{SignalKind, signal};

use super::beside::Beside;
use super::config::Config;
use super::disk::Disk;
use super::forward::forward;
use super::kubelet::Kubelet;
use super::token::Token;
use super::upstream::Servers;
use super::{listen, log};

/// k3s: 127.0.0.1:6444. In the lab many nodes share that address, so this uses the node's own.
const BALANCER: u16 = 6444;
/// Between two looks at the list of servers.
const LOOK: Duration = Duration::from_secs(2);

/// Runs until SIGTERM.
///
/// # Errors
/// `server` or the token is not configured; the token is another cluster's; the load balancer cannot listen.
pub(super) async fn run(config: Config, beside: Beside) -> anyhow::Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    tokio::select! {
        done = live(&config, &beside) => done,
        _ = stop.recv() => Ok(()),
    }
}

async fn live(config: &Config, beside: &Beside) -> anyhow::Result<()> {
    let server = config.server.as_deref().context("--server is required")?;
    let token = Token::parse(config.token.as_deref().context("--token is required")?, "node")?;
    let servers = Arc::new(trusted(server, &token, beside).await);
    let disk = Disk::new(&config.data_dir);
    let kubelet = Kubelet { config, beside, disk: &disk, servers: servers.clone(), token: &token };
    let pair = kubelet.admitted().await;
    let at = SocketAddr::new(config.node_ip, BALANCER);
    let router = Router::new().fallback(async |State(servers): State<Arc<Servers>>, request: Request| forward(&servers, request).await);
    listen::serve(at, &pair, router.with_state(servers.clone())).await?;
    let url = format!("https://{at}");
    tokio::select! {
        done = kubelet.run(&url) => done,
        never = learn(&servers, &token) => never,
    }
}

/// An agent never gives up.
async fn trusted(server: &str, token: &Token, beside: &Beside) -> Servers {
    loop {
        match Servers::trusting(server, token).await {
            Ok(servers) => return servers,
            Err(error) => log::error(&format!("Failed to validate connection to cluster at {server}: {error:#}")),
        }
        tokio::time::sleep(beside.pace.agent_retry()).await;
    }
}

/// Keeps the load balancer's list of servers.
async fn learn(servers: &Servers, token: &Token) -> anyhow::Result<()> {
    loop {
        if let Ok(text) = servers.ask("/v1-k3s/apiservers", token, HeaderMap::new()).await
            && let Ok(urls) = serde_json::from_str::<Vec<String>>(&text)
            && !urls.is_empty()
        {
            servers.learn(&urls);
        }
        tokio::time::sleep(LOOK).await;
    }
}
