//! `quorate check` against a region on the wire: it finds what is missing, ends what hangs, and changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "wire_check/faults.rs"]
mod faults;
#[path = "wire_aws/lab.rs"]
mod lab;
#[path = "wire_check/missing.rs"]
mod missing;
#[path = "wire_check/node.rs"]
mod node;
#[path = "wire_check/scene.rs"]
mod scene;
#[path = "wire_check/store.rs"]
mod store;
