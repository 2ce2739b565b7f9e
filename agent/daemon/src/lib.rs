//! The Quorate agent: observes, asks the core what to do, and does it.
//!
//! The loop is in [`agent`]; [`observe`] builds what it sees, [`execute`] does what was decided, [`adapters`] touch the outside world.

// They panic if the reader is gone: see `output`.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod adapters;
pub mod agent;
pub mod alias;
pub mod certificates;
pub mod check;
pub mod cleanup;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod config;
pub mod control;
pub mod crash;
pub mod cycle;
pub mod drain;
pub mod endpoint_directory;
pub mod endpoints;
pub mod etcdctl;
pub mod execute;
pub mod handout;
pub mod health;
pub mod identity;
pub mod journal;
pub mod kubeconfig;
pub mod kubernetes;
pub mod listener;
pub mod messages;
pub mod metrics;
pub mod notices;
pub mod observe;
pub mod output;
pub mod rendered;
pub mod repeats;
pub mod snapshot;
pub mod snapshots_by_hand;
pub mod status;
pub mod systemd;
pub mod telemetry;
