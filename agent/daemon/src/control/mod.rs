//! The agent's Unix socket: how `quorate status`, `plan` and an operator's orders reach the loop.

pub mod client;
pub mod pausing;
pub mod server;

use quorate_core::memory::Order;
use serde::{Deserialize, Serialize};

/// The socket's name in the run directory.
pub const SOCKET: &str = "quorate.sock";

/// An operator's order as sent over the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct OrderRequest {
    /// The order; if absent, the current one is withdrawn.
    pub order: Option<Order>,
    /// The cluster's name as the operator typed it, if the order requires it.
    pub cluster: Option<String>,
    /// A pause or its end, in place of an order.
    #[serde(default)]
    pub pause: Option<PauseRequest>,
}

/// `quorate pause` or `quorate resume` as sent over the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Resume, not pause.
    pub resume: bool,
    /// The whole cluster, not only this node.
    pub cluster: bool,
    /// The user who orders it.
    pub by: String,
}

/// The result of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAnswer {
    /// It was accepted and is remembered.
    pub taken: bool,
    /// What was done, or why not.
    pub message: String,
}
