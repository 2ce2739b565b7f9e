//! What a server writes on its own Node: the labels of its role, and which etcd member it is.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::api::{Api, MERGE};
use super::config::Config;
use super::gate::Gate;
use super::log;

pub(super) const ETCD: &str = "node-role.kubernetes.io/etcd";
const ROLES: [&str; 3] = [ETCD, "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
pub(super) const NODE_NAME: &str = "etcd.k3s.cattle.io/node-name";
pub(super) const NODE_ADDRESS: &str = "etcd.k3s.cattle.io/node-address";
pub(super) const REMOVE: &str = "etcd.k3s.cattle.io/remove";
pub(super) const REMOVED: &str = "etcd.k3s.cattle.io/removed-node-name";

const TURN: Duration = Duration::from_millis(500);

/// Keeps the Node like that while the API server of this computer answers.
pub(super) async fn keep(api: &Api, gate: &Gate, config: &Config, member: &str) {
    loop {
        tokio::time::sleep(TURN).await;
        if gate.is_open()
            && let Err(error) = write(api, config, member).await
        {
            log::error(&format!("Unable to set control-plane role label: {error:#}"));
        }
    }
}

async fn write(api: &Api, config: &Config, member: &str) -> anyhow::Result<()> {
    let Some(node) = api.node(&config.node_name).await? else { return Ok(()) };
    let address = config.node_ip.to_string();
    let labels = ROLES.map(|role| (role, Value::from("true")));
    let mut annotations = vec![(NODE_NAME, Value::from(member)), (NODE_ADDRESS, Value::from(address))];
    // A member that came back under a new name is not the one that was to be removed.
    if node["metadata"]["annotations"].get(REMOVED).is_some_and(|removed| removed != member) {
        annotations.extend([(REMOVE, Value::Null), (REMOVED, Value::Null)]);
    }
    let (labels, annotations) = (missing(&node["metadata"]["labels"], labels), missing(&node["metadata"]["annotations"], annotations));
    if labels.is_empty() && annotations.is_empty() {
        return Ok(());
    }
    api.patch(&config.node_name, "", MERGE, &json!({ "metadata": { "labels": labels, "annotations": annotations } })).await
}

fn missing<'a>(there: &Value, wanted: impl IntoIterator<Item = (&'a str, Value)>) -> Map<String, Value> {
    let differs = |(key, value): &(&str, Value)| there.get(*key).unwrap_or(&Value::Null) != value;
    wanted.into_iter().filter(differs).map(|(key, value)| (key.to_owned(), value)).collect()
}
