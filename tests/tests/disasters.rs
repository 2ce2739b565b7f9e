//! The seven disasters, with real agents and real etcd: each scenario is a region of its own, and records its row of one table.
//!
//! `make disasters` runs them and prints the table; `cargo test` does not. `QUORATE_LAB_LOGS=DIR` keeps the logs of agents and etcd.

#[path = "disasters/all.rs"]
mod all;
#[path = "disasters/clock.rs"]
mod clock;
#[path = "disasters/disk.rs"]
mod disk;
#[allow(dead_code, reason = "shared with lab_etcd, which uses the rest")]
#[path = "wire_and_lab/lab_etcd/group.rs"]
mod group;
#[allow(dead_code, reason = "shared with lab_k3s, which uses the rest")]
#[path = "wire_and_lab/lab_k3s/loss.rs"]
mod loss;
#[path = "disasters/one_of_three.rs"]
mod one_of_three;
#[path = "disasters/only_one.rs"]
mod only_one;
#[allow(dead_code, reason = "shared with lab_k3s, which uses the rest")]
#[path = "wire_and_lab/lab_k3s/plane.rs"]
mod plane;
#[path = "disasters/seeds.rs"]
mod seeds;
#[path = "disasters/servers.rs"]
mod servers;
#[path = "disasters/several.rs"]
mod several;
#[path = "disasters/stage.rs"]
mod stage;
#[path = "disasters/store.rs"]
mod store;
