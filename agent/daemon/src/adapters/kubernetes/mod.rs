//! The Kubernetes API as a node needs it that goes away: its own Node and its own pods.
//!
//! kube's own retries are off: it asks up to 15 times again on 429, with pauses up to a thousand seconds (kube-client `client/retry.rs`), and an
//! eviction that a disruption budget refuses would hang silently. Every call is bounded, and another API server is tried where one is away.

mod convert;
mod error;
mod evict;
mod node;
mod pods;
mod servers;

pub use error::KubernetesError;
pub use servers::ApiServers;

/// An annotation on a Node that this agent made unschedulable. Only then does it make it schedulable again.
pub const CORDONED: &str = "quorate/cordoned";
