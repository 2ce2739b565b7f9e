//! Members that are to go: by the annotation `remove` of their Node, or because their Node is deleted.

use anyhow::Context;
use etcd_client::Client;
use serde_json::{Value, json};

use super::members;
use crate::k3s::api::{Api, MERGE};
use crate::k3s::log;
use crate::k3s::role::{ETCD, NODE_ADDRESS, NODE_NAME, REMOVE, REMOVED};

const FINALIZER: &str = "wrangler.cattle.io/managed-etcd-controller";

/// Looks at every Node of an etcd server.
pub(super) async fn handle(api: &Api, client: &mut Client, nodes: &[Value]) -> anyhow::Result<()> {
    for node in nodes.iter().filter(|node| node["metadata"]["labels"].get(ETCD).is_some()) {
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        if let Err(error) = handle_node(api, client, node, name).await {
            log::error(&format!("error syncing '{name}': handler managed-etcd-controller: {error:#}, requeuing"));
        }
    }
    Ok(())
}

async fn handle_node(api: &Api, client: &mut Client, node: &Value, name: &str) -> anyhow::Result<()> {
    let finalizers: Vec<&str> = node["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let held = finalizers.contains(&FINALIZER);
    let annotation = |key: &str| node["metadata"]["annotations"].get(key).and_then(Value::as_str);
    if node["metadata"].get("deletionTimestamp").is_some() {
        if !held {
            return Ok(());
        }
        remove_member(client, node).await?;
        let rest: Vec<&str> = finalizers.into_iter().filter(|finalizer| *finalizer != FINALIZER).collect();
        return api.patch(name, "", MERGE, &json!({ "metadata": { "finalizers": rest } })).await;
    }
    if !held {
        let all: Vec<&str> = finalizers.into_iter().chain([FINALIZER]).collect();
        api.patch(name, "", MERGE, &json!({ "metadata": { "finalizers": all } })).await?;
    }
    match (annotation(REMOVE), annotation(NODE_NAME), annotation(REMOVED)) {
        (Some("true"), Some(member), removed) if removed != Some(member) => {
            remove_member(client, node).await?;
            api.patch(name, "", MERGE, &json!({ "metadata": { "annotations": { REMOVED: member } } })).await
        }
        _ => Ok(()),
    }
}

/// Name and address of the annotations have to match both. A member that no longer exists needs no removal.
async fn remove_member(client: &mut Client, node: &Value) -> anyhow::Result<()> {
    let annotation =
        |key: &str| node["metadata"]["annotations"].get(key).and_then(Value::as_str).with_context(|| format!("no annotation {key}"));
    let (name, address) = (annotation(NODE_NAME)?, annotation(NODE_ADDRESS)?);
    let members = members(client).await?;
    let Some(member) = members.iter().find(|member| member.name == name && member.is_at(address)) else { return Ok(()) };
    log::info(&format!("Removing name={name} id={} address={address} from etcd", member.id));
    client.member_remove(member.id).await.map(drop).context("failed to remove the member")
}
