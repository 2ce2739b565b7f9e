//! `quorate check`: what is missing on this instance, before the first boot of a cluster or at any time, and how to mend it.
//!
//! [`run`] asks side by side whatever the agent would ask and reach later, each within a limit of its own, and changes nothing: the calls
//! that act are made so that AWS refuses them for another reason than a missing permission, or so that they repeat what it has just said.
//! One file for each subject; what is found is judged by functions that ask nothing.

mod clock;
mod cloud;
mod disk;
mod endpoints;
mod etcd;
mod finding;
mod hooks;
mod identity;
mod peers;
mod permissions;
mod ports;
mod reach;
mod releases;
mod start;
mod store;
mod systemd;
mod tags;

use std::path::Path;

pub use finding::{Finding, Report, Verdict};

use crate::adapters::aws::Imds;
use crate::clock::Clock;
use crate::config::Settings;

/// Where the outside is.
#[derive(Debug)]
pub struct Outside {
    /// The instance's metadata service.
    pub imds: Imds,
    /// One endpoint for every service, such as a simulated region; by default what the SDK resolves.
    pub endpoint: Option<String>,
    /// The clock that is compared with that of AWS.
    pub clock: Clock,
}

impl Outside {
    /// As the environment says.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self { imds: Imds::new(settings.aws.imds_timeout), endpoint: None, clock: Clock::start() }
    }
}

/// Looks at everything. `file` is the one configuration file, where one was named.
pub async fn run(settings: &Settings, file: Option<&Path>, outside: &Outside) -> Report {
    let bus = systemd::bus();
    let (cloud, etcd, disk, systemd) = tokio::join!(
        cloud::check(settings, outside),
        etcd::check(settings, bus.as_ref()),
        disk::check(settings, outside.clock),
        systemd::check(bus.as_ref(), settings),
    );
    Report::of([vec![identity::configuration(file)], cloud, etcd, disk, systemd].concat())
}
