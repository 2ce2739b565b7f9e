//! The files that follow the living peers: rendered ones and the alias in the hosts file, on a real disk and against real listeners.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "wire_files/alias.rs"]
mod alias;
#[path = "wire_files/context.rs"]
mod context;
#[path = "wire_files/cycle.rs"]
mod cycle;
#[path = "wire_files/rendered.rs"]
mod rendered;
