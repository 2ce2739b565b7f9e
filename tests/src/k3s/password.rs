//! Node passwords (k3s `pkg/nodepassword`): a node whose name was used before has to show the password that was used with it.

use std::path::Path;

use anyhow::{Context, bail};
use etcd_client::Client;
use sha2::{Digest, Sha256};

use super::api::Api;
use super::disk::{self, hex};

/// The real server's message.
pub(super) const REJECTED: &str = "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag";

/// This node's own, made at the first start.
pub(super) fn own(path: &Path) -> anyhow::Result<String> {
    if let Some(password) = disk::read(path)? {
        return Ok(password.trim().to_owned());
    }
    let password = disk::random_hex(16)?;
    disk::write(path, &format!("{password}\n"), 0o600)?;
    Ok(password)
}

/// Checks a node's password, or keeps it if the name is new. The hash lies with the cluster, at the key of the Secret that the real server makes; that Secret
/// belongs to the Node, so a Node that has been deleted clears it.
///
/// # Errors
/// It is another one than was used; or etcd or the API does not answer.
pub(super) async fn verify(client: &mut Client, api: &Api, node: &str, password: &str) -> anyhow::Result<()> {
    let key = key(node);
    let hash = hex(&Sha256::digest(password.as_bytes()));
    let kept = client.get(key.as_str(), None).await.context("cannot read the node password")?;
    let known = kept.kvs().first().map(|kv| kv.value().to_vec());
    match known {
        Some(known) if known == hash.as_bytes() => Ok(()),
        Some(_) if api.node(node).await?.is_some() => bail!(REJECTED),
        _ => client.put(key, hash, None).await.map(drop).context("cannot keep the node password"),
    }
}

/// Forgets a node's password.
///
/// # Errors
/// etcd does not answer.
pub(super) async fn forget(client: &mut Client, node: &str) -> anyhow::Result<()> {
    client.delete(key(node), None).await.map(drop).context("failed to delete old node password secret")
}

fn key(node: &str) -> String {
    format!("/registry/secrets/kube-system/{node}.node-password.k3s")
}
