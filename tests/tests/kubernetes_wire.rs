//! The Kubernetes adapter and whole drains over HTTP, against the API server's double.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "kubernetes_wire/bench.rs"]
mod bench;
#[path = "kubernetes_wire/drain.rs"]
mod drain;
#[path = "kubernetes/drained.rs"]
mod drained;
#[path = "kubernetes_wire/evict.rs"]
mod evict;
#[path = "kubernetes_wire/lab.rs"]
mod lab;
#[path = "kubernetes_wire/node.rs"]
mod node;
#[path = "kubernetes_wire/nodes.rs"]
mod nodes;
#[path = "kubernetes_wire/servers.rs"]
mod servers;
