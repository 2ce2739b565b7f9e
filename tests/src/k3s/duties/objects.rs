//! The version of the Kubernetes objects, which the double keeps outside of etcd. In a snapshot it says which objects belong to it.

use anyhow::Context;
use etcd_client::Client;

const KEY: &str = "/registry/stand-in/version";

/// Keeps the version, if it is a new one.
pub(super) async fn keep(client: &mut Client, version: &str) -> anyhow::Result<()> {
    if kept(client).await?.as_deref() == Some(version) {
        return Ok(());
    }
    client.put(KEY, version, None).await.map(drop).context("cannot keep the version of the objects")
}

/// What etcd holds.
pub(in crate::k3s) async fn kept(client: &mut Client) -> anyhow::Result<Option<String>> {
    let found = client.get(KEY, None).await.context("cannot read the version of the objects")?;
    Ok(found.kvs().first().map(|kv| kv.value_str().map(str::to_owned)).transpose()?)
}
