//! The stand-in for k3s, started by hand as a service manager would: what the facts say of servers, agents, joining and leaving, over a real etcd.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "k3s_stand_in/configuration.rs"]
mod configuration;
#[path = "k3s_stand_in/join.rs"]
mod join;
#[path = "k3s_stand_in/leave.rs"]
mod leave;
#[path = "k3s_stand_in/quorum.rs"]
mod quorum;
#[path = "k3s_stand_in/reset.rs"]
mod reset;
#[path = "k3s_stand_in/worker.rs"]
mod worker;
#[path = "k3s_stand_in/world.rs"]
mod world;
