//! The rules of the region model on which the simulator rests: each lifecycle rule and each refusal, in both directions. Warm pools, replaced root
//! volumes and target groups, which no schedule has, are met by `lab_etcd`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "region_rules/capacity.rs"]
mod capacity;
#[path = "region_rules/describe.rs"]
mod describe;
#[path = "region_rules/health.rs"]
mod health;
#[path = "region_rules/hooks.rs"]
mod hooks;
#[path = "region_rules/launch.rs"]
mod launch;
#[path = "region_rules/refresh.rs"]
mod refresh;
#[path = "region_rules/standby.rs"]
mod standby;
#[path = "region_rules/terminate.rs"]
mod terminate;
#[path = "region_rules/world.rs"]
mod world;
