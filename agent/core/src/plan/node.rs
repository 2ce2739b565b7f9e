//! What is done to a Kubernetes node.

use std::fmt;
use std::net::IpAddr;

use crate::drain::Limits;
use crate::ids::{InstanceId, MemberId};

/// A step on a Kubernetes node. Each is idempotent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeStep {
    /// Begin to drain this node, or continue within other limits.
    Drain(Limits),
    /// Keep the scheduler from binding pods to this node, with a mark that it was this agent.
    Cordon,
    /// Let it bind them again, if the mark is there.
    Uncordon,
    /// Have the distribution remove this node's own etcd member, by an annotation on the Node.
    AnnotateRemoval {
        /// The member.
        member: MemberId,
    },
    /// Delete a Node.
    Delete {
        /// The instance whose Node it is.
        instance: InstanceId,
        /// Its uid, so a Node that was created again is not meant.
        uid: String,
    },
    /// Have the distribution's configuration name another server, from its next start on.
    PointAt {
        /// Which.
        server: IpAddr,
    },
}

impl NodeStep {
    /// The step's kind, as logs, stories and crash points name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Drain(_) => "drain",
            Self::Cordon => "cordon",
            Self::Uncordon => "uncordon",
            Self::AnnotateRemoval { .. } => "annotate-removal",
            Self::Delete { .. } => "delete-node",
            Self::PointAt { .. } => "point-at-server",
        }
    }
}

impl fmt::Display for NodeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drain(_) => f.write_str("drain this node"),
            Self::Cordon => f.write_str("cordon this node"),
            Self::Uncordon => f.write_str("uncordon this node"),
            Self::AnnotateRemoval { member } => write!(f, "annotate this node for the removal of member {member}"),
            Self::Delete { instance, .. } => write!(f, "delete the Node of {instance}"),
            Self::PointAt { server } => write!(f, "name {server} as the server to turn to"),
        }
    }
}
