//! The condition `EtcdIsVoter` of the servers' Nodes.

use std::time::Duration;

use etcd_client::Client;
use serde_json::{Value, json};

use super::members;
use crate::k3s::api::{Api, STRATEGIC};
use crate::k3s::disk::Disk;
use crate::k3s::etcd;
use crate::k3s::member::Member;
use crate::k3s::role::ETCD;

const PATIENCE: Duration = Duration::from_secs(1);

/// Writes the condition where it has changed.
pub(super) async fn tell(api: &Api, client: &mut Client, disk: &Disk, nodes: &[Value]) -> anyhow::Result<()> {
    let members = members(client).await?;
    for node in nodes {
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        let member = members.iter().find(|member| member.node() == name);
        let Some((status, reason, message)) = verdict(member, node, disk).await else { continue };
        if written(node) == Some((status, reason)) {
            continue;
        }
        let condition = json!({ "type": "EtcdIsVoter", "status": status, "reason": reason, "message": message });
        let patch = json!({ "status": { "conditions": [condition] } });
        api.patch(name, "/status", STRATEGIC, &patch).await?;
    }
    Ok(())
}

async fn verdict(member: Option<&Member>, node: &Value, disk: &Disk) -> Option<(&'static str, &'static str, &'static str)> {
    match member {
        None if node["metadata"]["labels"].get(ETCD).is_none() => None,
        None => Some(("False", "NotAMember", "Node is not a member of the etcd cluster")),
        Some(learner) if learner.is_learner => {
            Some(("False", "MemberIsLearner", "Node has not been promoted to voting member of the etcd cluster"))
        }
        Some(voter) if answers(voter, disk).await => Some(("True", "MemberNotLearner", "Node is a voting member of the etcd cluster")),
        Some(_) => Some(("False", "Unhealthy", "Node is unhealthy")),
    }
}

async fn answers(member: &Member, disk: &Disk) -> bool {
    let ask = async { etcd::client(disk, &member.client_urls).await?.status().await.map_err(anyhow::Error::from) };
    matches!(tokio::time::timeout(PATIENCE, ask).await, Ok(Ok(_)))
}

fn written(node: &Value) -> Option<(&str, &str)> {
    let conditions = node.pointer("/status/conditions")?.as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == "EtcdIsVoter")?;
    Some((condition["status"].as_str()?, condition["reason"].as_str()?))
}
