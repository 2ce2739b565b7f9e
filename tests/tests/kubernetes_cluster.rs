//! The Kubernetes adapter and whole drains, against an API server through its API alone: the double's, or that of a real cluster for which
//! `QUORATE_TEST_KUBECONFIG` names an administrator's kubeconfig (`make test-kube`). What needs the double's faults is in `kubernetes_wire`.
//!
//! On a real cluster one test runs at a time, and one node of it is drained again and again, with everything on it: use a disposable one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "kubernetes_cluster/drain.rs"]
mod drain;
#[path = "wire_and_lab/kubernetes_wire/drained.rs"]
mod drained;
#[path = "kubernetes_cluster/evict.rs"]
mod evict;
#[path = "kubernetes_cluster/node.rs"]
mod node;
#[path = "kubernetes_cluster/real.rs"]
mod real;
#[path = "kubernetes_cluster/stage.rs"]
mod stage;
