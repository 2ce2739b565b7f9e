//! The rules of the API server's double: what it accepts and what it refuses, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "kubernetes_rules/access.rs"]
mod access;
#[path = "kubernetes_rules/delete.rs"]
mod delete;
#[path = "kubernetes_rules/evict.rs"]
mod evict;
#[path = "kubernetes_rules/health.rs"]
mod health;
#[path = "kubernetes_rules/list.rs"]
mod list;
#[path = "kubernetes_rules/patch.rs"]
mod patch;
#[path = "kubernetes_rules/workloads.rs"]
mod workloads;
#[path = "kubernetes_rules/world.rs"]
mod world;
