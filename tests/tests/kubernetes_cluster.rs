//! The Kubernetes adapter and whole drains, spoken to an API server by nothing but its API: the double's, or that of a real cluster whose
//! administrator's kubeconfig `QUORATE_TEST_KUBECONFIG` names (`make test-kube`). What needs the double's faults is in `kubernetes_wire`.
//!
//! On a real cluster one test runs at a time, and one node of it is drained again and again, with everything on it: take one to be thrown away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "kubernetes_cluster/drain.rs"]
mod drain;
#[path = "kubernetes/drained.rs"]
mod drained;
#[path = "kubernetes_cluster/evict.rs"]
mod evict;
#[path = "kubernetes_cluster/node.rs"]
mod node;
#[path = "kubernetes_cluster/real.rs"]
mod real;
#[path = "kubernetes_cluster/stage.rs"]
mod stage;
