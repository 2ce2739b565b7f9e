//! Control planes of k3s and their workers, with the real agent: the stand-in for k3s has a real etcd under it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "lab_k3s/away.rs"]
mod away;
#[path = "lab_k3s/check.rs"]
mod check;
#[path = "lab_k3s/endpoint_directory.rs"]
mod endpoint_directory;
#[path = "lab_k3s/kubeconfig.rs"]
mod kubeconfig;
#[allow(dead_code, reason = "shared with the disasters, which use the rest")]
#[path = "lab_k3s/loss.rs"]
mod loss;
#[path = "lab_k3s/plane.rs"]
mod plane;
#[path = "lab_k3s/recover.rs"]
mod recover;
#[path = "lab_k3s/restore.rs"]
mod restore;
#[path = "lab_k3s/retired.rs"]
mod retired;
#[path = "lab_k3s/servers.rs"]
mod servers;
#[path = "lab_k3s/workers.rs"]
mod workers;
