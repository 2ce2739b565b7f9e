//! A stand-in for the k3s executable: what a k3s server and a k3s agent do to disk, etcd, Nodes and callers, with a real etcd underneath.
//!
//! It is run as `k3s-stand-in server --config FILE` or `agent --config FILE`, and reads FILE and `FILE.d/*.yaml` as k3s does. `stand-in.json` beside
//! FILE names what a real k3s would bring along: [`Beside`]. The Kubernetes objects live in the lab's [`crate::kubernetes`]; a server answers for them
//! as long as its own etcd gives a linearizable read.
//!
//! # Flow of a server
//!
//! 1. `config` and `token`; `start` decides by the disk first: with a WAL, `cluster-init` and `server` are ignored.
//! 2. `bootstrap`: the certificate authorities, made, read, or fetched from `server`.
//! 3. `supervisor` listens on 6443; `join` adds a learner through the other servers; `etcd` starts etcd.
//! 4. `server` runs until etcd ends or SIGTERM comes: `gate`, `duties` (promotion, removal), `role` (labels and annotations), `kubelet`. `vault` keeps the
//!    authorities in etcd, encrypted with the token.
//!
//! `server --cluster-reset [--cluster-reset-restore-path=FILE]` is `reset`: it ends when etcd is one member, on loopback until then.
//!
//! # Not here
//!
//! Snapshots of k3s' own, the check of critical configuration values, pods' containers, kubelet client certificates (bearer tokens of the double stand for
//! them). Only the version of the double's objects lies in etcd (`duties/objects`): a restore returns the double to it.

mod agent;
mod api;
mod beside;
mod bootstrap;
mod command;
mod config;
mod disk;
mod duties;
mod etcd;
mod flags;
mod forward;
mod gate;
mod join;
mod kubelet;
mod listen;
mod log;
mod member;
mod password;
mod reset;
mod role;
mod server;
mod start;
mod supervisor;
mod tls;
mod token;
mod upstream;
mod vault;

pub use beside::{Beside, Pace};
pub use command::main;
