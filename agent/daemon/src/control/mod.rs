//! The agent's Unix socket: how `quorate status`, `plan` and an operator's orders reach the loop.

pub mod client;
pub mod pausing;
pub mod server;

use quorate_core::memory::Order;
use serde::{Deserialize, Serialize};

/// The socket's name in the run directory.
pub const SOCKET: &str = "quorate.sock";

/// An operator's order as it goes over the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct OrderRequest {
    /// The order; absent takes the present one back.
    pub order: Option<Order>,
    /// The cluster's name as the operator typed it, where the order demands that.
    pub cluster: Option<String>,
    /// To pause or to resume, in place of an order.
    #[serde(default)]
    pub pause: Option<PauseRequest>,
}

/// `quorate pause` or `quorate resume` as it goes over the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// To resume, not to pause.
    pub resume: bool,
    /// The whole cluster, not this node alone.
    pub cluster: bool,
    /// Who orders it.
    pub by: String,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAnswer {
    /// It was taken and is remembered.
    pub taken: bool,
    /// What was done, or why not.
    pub message: String,
}
