//! What is run, and how it is configured. [`super::Exec`] and [`super::Systemd`] run it, as a child or as a unit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use quorate_core::observation::TakenPort;
use quorate_core::plan::Start;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;

use super::{Preflight, ServiceError};

/// How a program gets its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// On its command line.
    AsArguments,
    /// As the environment of its unit, in which etcd ignores what it does not know.
    AsEnvironment,
}

/// The server that contains this node's member, or a worker's agent.
#[async_trait]
pub trait Program: fmt::Debug + Send + Sync {
    /// Its name, also used in file names.
    fn name(&self) -> &'static str;

    /// etcd is all that its process is, so the process works only for etcd.
    fn is_etcd_alone(&self) -> bool {
        false
    }

    /// What a child runs.
    fn binary(&self) -> &Path;

    /// The directory whose inode distinguishes this data from earlier and later data there. It exists once [`Program::for_child`] or [`Program::for_unit`] was
    /// called.
    fn data_dir(&self) -> &Path;

    /// Further environment of the operator's for a child.
    fn environment(&self) -> &BTreeMap<String, String>;

    /// Which etcd it is, and whether it accepts its flags, tried without starting anything; `None` for a program that brings its own.
    async fn preflight(&self, _given: Given, _now: Timestamp) -> Option<Result<Preflight, ServiceError>> {
        None
    }

    /// The ports that it needs and another process has. Call it only while the program does not run.
    fn taken_ports(&self) -> Vec<TakenPort> {
        Vec::new()
    }

    /// Prepares a child's start like this, and returns its arguments.
    async fn for_child(&self, how: &Start, transport: Transport) -> Result<Vec<OsString>, ServiceError>;

    /// Writes everything that its unit reads for a start like this.
    async fn for_unit(&self, how: &Start, transport: Transport) -> Result<(), ServiceError>;

    /// Prepares the program to restore this snapshot itself and exit, and returns the arguments for it.
    async fn for_restore(&self, snapshot: &Path) -> Result<Vec<OsString>, ServiceError>;

    /// Withdraws the permit for its unit to start.
    fn forbid_unit(&self) -> Result<(), ServiceError>;

    /// Whether this process is the program, on this very data, whoever started it.
    fn is_process(&self, pid: i32) -> bool;

    /// Whether this child serves clients on loopback only.
    fn child_is_on_loopback(&self, pid: i32) -> Result<bool, ServiceError>;

    /// Whether its unit, as last started, serves clients on loopback only.
    fn unit_is_on_loopback(&self) -> Result<bool, ServiceError>;
}
