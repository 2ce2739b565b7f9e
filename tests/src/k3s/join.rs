//! How a server without a WAL joins (k3s `pkg/etcd/etcd.go`): through the others' list, as a learner.

use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::HeaderMap;
use etcd_client::{Error, MemberAddOptions};

use super::config::Config;
use super::disk::Disk;
use super::etcd::{self, Initial};
use super::log;
use super::member::Member;
use super::token::Token;
use super::upstream::Servers;

const AGAIN: Duration = Duration::from_secs(1);
/// What is tried again; anything else is fatal.
const PASSING: [&str; 2] = ["too many learner members in cluster", "unhealthy cluster"];

/// Adds this server as a learner, unless it is one already.
///
/// # Errors
/// What k3s considers fatal.
pub(super) async fn admitted(servers: &Servers, token: &Token, disk: &Disk, config: &Config, name: &str) -> anyhow::Result<Initial> {
    loop {
        match members(servers, token).await {
            Ok(members) => {
                if let Some(cluster) = attempt(&members, disk, config, name).await? {
                    return Ok(Initial { cluster, state: "existing" });
                }
            }
            Err(error) => log::info(&format!("Waiting for other members to finish joining etcd cluster: {error:#}")),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn members(servers: &Servers, token: &Token) -> anyhow::Result<Vec<Member>> {
    let text = servers.ask("/db/info", token, HeaderMap::new()).await.context("failed to get client connection info")?;
    serde_json::from_str(&text).context("failed to read the list of members")
}

/// The initial cluster with this member in it; nothing if it is to be tried again.
async fn attempt(members: &[Member], disk: &Disk, config: &Config, name: &str) -> anyhow::Result<Option<String>> {
    let own = config.node_ip.to_string();
    let mine = |member: &Member| member.name == name || (member.name.is_empty() && member.is_at(&own));
    if members.iter().any(|member| !mine(member) && member.node() == config.node_name) {
        // The next try has to get another name.
        let _ = std::fs::remove_file(disk.name());
        bail!("failed to join etcd cluster: duplicate node name found, please use a unique name for this node");
    }
    let mut cluster: Vec<String> = members.iter().map(|member| peer(if mine(member) { name } else { &member.name }, member)).collect();
    if !members.iter().any(mine) {
        let url = etcd::peer_url(config.node_ip);
        log::info(&format!("Adding member {name}={url} to etcd cluster [{}]", cluster.join(" ")));
        if !add(members, disk, &url).await? {
            return Ok(None);
        }
        cluster.push(format!("{name}={url}"));
    }
    log::info(&format!("Starting etcd to join cluster with members [{}]", cluster.join(" ")));
    Ok(Some(cluster.join(",")))
}

fn peer(name: &str, member: &Member) -> String {
    format!("{name}={}", member.peer_urls.first().map_or("", String::as_str))
}

/// Whether it was added. A server that cannot be reached is left for the next, as etcd's own client does.
async fn add(members: &[Member], disk: &Disk, url: &str) -> anyhow::Result<bool> {
    let mut last = None;
    for endpoint in members.iter().filter(|member| !member.is_learner).flat_map(|member| &member.client_urls) {
        let mut client = etcd::client(disk, std::slice::from_ref(endpoint)).await?;
        match client.member_add([url], Some(MemberAddOptions::new().with_is_learner())).await {
            Ok(_) => return Ok(true),
            Err(Error::GRpcStatus(status)) if PASSING.iter().any(|text| status.message().contains(text)) => {
                log::info(&format!("Waiting for other members to finish joining etcd cluster: {}", status.message()));
                return Ok(false);
            }
            Err(error) if is_unreachable(&error) => last = Some(error),
            Err(error) => return Err(error).context("failed to join etcd cluster"),
        }
    }
    bail!("failed to join etcd cluster: {}", last.map_or_else(|| "no voter is listed".to_owned(), |error| error.to_string()))
}

fn is_unreachable(error: &Error) -> bool {
    match error {
        Error::TransportError(_) => true,
        Error::GRpcStatus(status) => ["transport error", "tcp connect error"].iter().any(|text| status.message().contains(text)),
        _ => false,
    }
}
