//! The Kubernetes API, as far as a leaving node needs it: its own Node and its own pods.
//!
//! kube's own retries are off: it repeats a call up to 15 times on 429, with pauses of up to a thousand seconds (kube-client `client/retry.rs`), and an
//! eviction that a disruption budget refuses would hang silently. Every call is bounded, and another API server is tried if one is away.

mod convert;
mod error;
mod evict;
mod node;
mod nodes;
mod pods;
mod probe;
mod servers;

pub use error::KubernetesError;
pub use probe::ServerProbe;
pub use servers::ApiServers;

/// Set on a Node, it makes the distribution's servers remove its etcd member. Below is what they then set (k3s `pkg/etcd/member_controller.go`).
const REMOVE: &str = "etcd.k3s.cattle.io/remove";
const REMOVED: &str = "etcd.k3s.cattle.io/removed-node-name";

/// The condition that distinguishes a server's voting etcd member from a learner (k3s `pkg/etcd/etcd.go`).
const IS_VOTER: &str = "EtcdIsVoter";

/// The label of every server's Node.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// An annotation on a Node that this agent made unschedulable. Only then does it make it schedulable again.
pub const CORDONED: &str = "quorate/cordoned";
