//! Everything that speaks over the wire, in one program, so that the SDKs are linked once: the adapters against doubles and against real etcd, the doubles
//! that the simulator rests on, and real agents with real etcd in regions of their own (`lab_*`, `shipped_images`).
//!
//! All of it shares one process, and runs at once. So a test takes a network of its own (`Subnet::claim`) or an address in a network that no other
//! module names, and a child process for whatever belongs to a process: its environment, its limits.
//!
//! `QUORATE_LAB_LOGS=DIR` keeps the logs of agents and etcd.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod fixtures;
mod ipv6_network;
mod kubernetes_wire;
mod lab_etcd;
mod lab_k3s;
mod region_rules;
mod shipped_images;
mod wire_aws;
mod wire_aws_cli;
mod wire_charter;
mod wire_check;
mod wire_etcd;
mod wire_files;
mod wire_peer;
mod wire_s3;
