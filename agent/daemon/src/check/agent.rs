//! The agent that runs here: what it waits for an operator to do.

use std::time::Duration;

use crate::config::Settings;
use crate::control::{SOCKET, client};
use crate::status::Status;

use super::finding::Finding;
use super::node::Node;
use super::tls;

const NAME: &str = "agent";
/// It answers from its last cycle, so at once.
const LIMIT: Duration = Duration::from_secs(3);

/// Asks the agent, if one runs, and what it knows of TLS. Before the first boot none does, and that is no finding.
pub(super) async fn check(node: &Node, settings: &Settings) -> Vec<Finding> {
    let socket = settings.paths.run_dir.join(SOCKET);
    match tokio::time::timeout(LIMIT, client::status(&socket)).await {
        Ok(Ok(status)) => [judge(&status)].into_iter().chain(tls::check(node, settings, Some(&status))).collect(),
        Ok(Err(_)) => tls::check(node, settings, None).into_iter().collect(),
        Err(_) => vec![Finding::problem(NAME, format!("it did not answer within {LIMIT:?}"), "see `systemctl status quorate`")],
    }
}

/// Whatever it calls an operator for: a stranger in etcd's list, an alarm, a version that does not fit, a wait that takes too long.
fn judge(status: &Status) -> Finding {
    match status.needs_operator {
        true => Finding::problem(
            NAME,
            status.message.clone(),
            "an operator must act: the message says how, and `quorate status` shows the rest",
        ),
        false => Finding::ok(NAME, format!("{}: {}", status.phase, status.message)),
    }
}
