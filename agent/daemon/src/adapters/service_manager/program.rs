//! What is run, and how it is configured. How it is run, as a child or as a unit, is another matter: [`super::Exec`] and
//! [`super::Systemd`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use quorate_core::observation::TakenPort;
use quorate_core::plan::Start;
use quorate_core::time::Timestamp;

use super::{Preflight, ServiceError};

/// How a program is given its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// On its command line.
    AsArguments,
    /// As the environment of its unit, in which etcd passes over what it does not know.
    AsEnvironment,
}

/// The server that has this node's member in it, or a worker's agent.
#[async_trait]
pub trait Program: fmt::Debug + Send + Sync {
    /// What it is called, in file names too.
    fn name(&self) -> &'static str;

    /// What a child runs.
    fn binary(&self) -> &Path;

    /// Whose inode tells this data from other data that lay or will lie there. There once [`Program::for_child`] or [`Program::for_unit`]
    /// was called.
    fn data_dir(&self) -> &Path;

    /// Further environment of the operator's for a child.
    fn environment(&self) -> &BTreeMap<String, String>;

    /// Which etcd it is, and whether it takes its flags, tried without starting anything; `None` for what brings its own.
    async fn preflight(&self, _given: Given, _now: Timestamp) -> Option<Result<Preflight, ServiceError>> {
        None
    }

    /// The ports that it needs and that somebody has. Only to be asked while it does not run.
    fn taken_ports(&self) -> Vec<TakenPort> {
        Vec::new()
    }

    /// Makes everything ready for a child that starts like this, and gives its arguments.
    async fn for_child(&self, how: &Start) -> Result<Vec<OsString>, ServiceError>;

    /// Writes everything that its unit reads for a start like this.
    async fn for_unit(&self, how: &Start) -> Result<(), ServiceError>;

    /// Makes everything ready for the program to restore this snapshot itself and end, and gives the arguments with which it does.
    async fn for_restore(&self, snapshot: &Path) -> Result<Vec<OsString>, ServiceError>;

    /// Takes back what permitted its unit to start.
    fn forbid_unit(&self) -> Result<(), ServiceError>;

    /// Whether this process is it, on this very data, whoever started it.
    fn is_process(&self, pid: i32) -> bool;

    /// Whether this child serves clients on loopback only.
    fn child_is_on_loopback(&self, pid: i32) -> Result<bool, ServiceError>;

    /// Whether its unit, as it was started last, serves clients on loopback only.
    fn unit_is_on_loopback(&self) -> Result<bool, ServiceError>;
}
