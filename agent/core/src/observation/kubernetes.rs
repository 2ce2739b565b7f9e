//! This machine's Kubernetes Node, as an API server has it.

use std::sync::Arc;

/// What a Node says of itself and of the etcd member in its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Tells it from a later Node of the same name.
    pub uid: Arc<str>,
    /// Its kubelet reports that it can run pods.
    pub ready: bool,
    /// The scheduler may bind pods to it.
    pub schedulable: bool,
    /// This agent made it unschedulable, and nobody else.
    pub cordoned_by_us: bool,
    /// Its server's etcd member has a vote, by the distribution's own word; unknown while it does not say.
    pub is_voter: Option<bool>,
    /// Its server's etcd member has been removed at this Node's request.
    pub removed: bool,
}
