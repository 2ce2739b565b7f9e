//! The etcd, service manager and host adapters against a real etcd.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "wire_etcd/backend.rs"]
mod backend;
#[path = "wire_etcd/connection.rs"]
mod connection;
#[path = "wire_etcd/lock.rs"]
mod lock;
#[path = "wire_etcd/membership.rs"]
mod membership;
#[path = "wire_etcd/node.rs"]
mod node;
#[path = "wire_etcd/process.rs"]
mod process;
#[path = "wire_etcd/restore.rs"]
mod restore;
#[path = "wire_etcd/tls.rs"]
mod tls;
