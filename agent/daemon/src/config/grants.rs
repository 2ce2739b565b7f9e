//! `[[grant]]`: what the instances with an IAM role are given.

use std::collections::BTreeSet;

use quorate_core::handout::{Gift, Grant, RoleArn};

use super::Refusal;
use super::file;

/// Checks all of them. Whether the cluster has TLS, without which nothing is given, its charter says.
///
/// # Errors
/// The first value that cannot be used.
pub(super) fn settings(all: Vec<file::Grant>) -> Result<Vec<Grant>, Refusal> {
    let all = all.into_iter().map(one).collect::<Result<Vec<_>, _>>()?;
    let twice = all.iter().enumerate().find(|(at, this)| all.iter().take(*at).any(|before| before.role == this.role));
    match twice {
        Some((_, this)) => Err(Refusal::value("grant.role_arn", &this.role, "name each role once, and list everything in its `gives`")),
        None => Ok(all),
    }
}

fn one(raw: file::Grant) -> Result<Grant, Refusal> {
    let text = raw.role_arn.unwrap_or_default();
    let role = text.parse::<RoleArn>();
    let role =
        role.map_err(|_| Refusal::value("grant.role_arn", format!("{text:?}"), "give the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME"))?;
    let gives = raw.gives.iter().map(|what| gift(what)).collect::<Result<BTreeSet<_>, _>>()?;
    if gives.is_empty() {
        return Err(Refusal::value("grant.gives", "[]", "give [\"etcd-client\"], or remove the grant"));
    }
    Ok(Grant { role, gives })
}

fn gift(text: &str) -> Result<Gift, Refusal> {
    let remedy = match text {
        "etcd-client" => return Ok(Gift::EtcdClient),
        "k3s-agent-token" | "bootstrap-token" => {
            "use etcd-client: only servers of a control plane have tokens, their agents have no TLS yet, and no token is sent without it"
        }
        _ => "use etcd-client",
    };
    Err(Refusal::value("grant.gives", format!("{text:?}"), remedy))
}
