//! Kubernetes, as far as this node needs it: its own Node, those of the dead, the servers, and its drain.

use std::net::IpAddr;

use crate::authority::Pin;
use crate::observation::Server;
use crate::reading::Reading;
use crate::time::Timestamp;

/// This instance's Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its uid: a Node that was created again under the same name is a different one.
    pub uid: String,
    /// Its condition `Ready` is true.
    pub ready: bool,
    /// The scheduler may bind pods to it.
    pub schedulable: bool,
    /// This agent made it unschedulable.
    pub cordoned_by_us: bool,
    /// What k3s says of its etcd member in the condition `EtcdIsVoter`; absent where there is no such condition.
    pub is_voter: Option<bool>,
    /// The distribution says that its etcd member was removed.
    pub removed: bool,
}

/// Any Node, for the agent beside the leader: a worker that died cannot delete its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNode {
    /// Its name: the instance's id, where Quorate made it a node.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its condition `Ready` is true.
    pub ready: bool,
    /// It is a server of the control plane.
    pub control_plane: bool,
}

/// The progress of this node's drain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Draining {
    /// This agent has not begun it.
    #[default]
    NotBegun,
    /// It is under way.
    Goes {
        /// What is done or awaited.
        message: String,
        /// The latest time at which it ends.
        end: Timestamp,
    },
    /// It is over, with or without pods left.
    Over {
        /// Its outcome.
        message: String,
        /// When it ended.
        at: Timestamp,
    },
}

/// A server as it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSeen {
    /// Which.
    pub server: Server,
    /// Its API answered in one of the last two tries.
    pub healthy: bool,
}

/// Kubernetes as seen in this cycle.
#[derive(Clone, Debug)]
pub struct KubernetesView {
    /// This instance's Node; `None` inside: there is none.
    pub node: Reading<Option<NodeView>>,
    /// All Nodes; read only by the agent beside the leader.
    pub nodes: Reading<Vec<ListedNode>>,
    /// The servers that are known.
    pub servers: Vec<ServerSeen>,
    /// The drain.
    pub draining: Draining,
    /// The server that the distribution's rendered configuration names.
    pub points_at: Option<IpAddr>,
    /// How a worker that is about to start recognises its cluster's servers; unknown until the store was asked, if there is one.
    pub authority: Reading<Pin>,
}

impl KubernetesView {
    /// The view of an instance that has nothing to do with Kubernetes.
    #[must_use]
    pub fn none() -> Self {
        const NONE: &str = "there is no Kubernetes here";
        Self {
            node: Reading::unknown(NONE),
            nodes: Reading::unknown(NONE),
            servers: Vec::new(),
            draining: Draining::NotBegun,
            points_at: None,
            authority: Reading::unknown(NONE),
        }
    }
}
