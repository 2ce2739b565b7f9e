//! `quorate check`: what is missing on this instance, before a cluster's first boot or at any time, and how to fix it.
//!
//! [`run`] asks side by side everything that the agent would ask and reach later, each within its own limit, and changes nothing: calls that would act are made
//! such that AWS refuses them for a reason other than a missing permission, or such that they repeat what it has just said. There is one file per subject; the
//! functions that judge ask nothing. What is checked depends on the instance's role, which is in its group's tags: AWS is therefore asked first, and `node.rs`
//! has the table.

mod agent;
mod alias;
mod clock;
mod cloud;
mod disk;
mod distribution;
mod ended;
mod endpoints;
mod etcd;
mod finding;
mod health;
mod hooks;
mod identity;
mod node;
mod peers;
mod permissions;
mod ports;
mod reach;
mod releases;
mod rendered;
mod sandbox;
mod selinux;
mod start;
mod store;
mod systemd;
mod tags;
mod tls;

use std::path::Path;

pub use finding::{Finding, Report, Verdict};

use crate::adapters::aws::Imds;
use crate::clock::Clock;
use crate::config::Settings;
use crate::systemd::Bus;
use node::Node;
use sandbox::Sandbox;

/// How the outside is reached.
#[derive(Debug)]
pub struct Outside {
    /// The instance's metadata service.
    pub imds: Imds,
    /// One endpoint for every service, such as a simulated region; by default what the SDK resolves.
    pub endpoint: Option<String>,
    /// The clock to compare with that of AWS.
    pub clock: Clock,
}

impl Outside {
    /// The outside, according to the environment.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self { imds: Imds::new(settings.aws.imds_timeout).of_family(settings.aws.ip_family), endpoint: None, clock: Clock::start() }
    }
}

/// Checks everything. `file` is the one configuration file, if one was named.
pub async fn run(settings: &Settings, file: Option<&Path>, outside: &Outside) -> Report {
    let (role, cloud) = cloud::check(settings, outside).await;
    let machine = match role {
        Some(role) => machine(&Node::of(role, settings), settings, outside).await,
        None => ["program", "disk", "systemd"].map(|subject| Finding::skipped(subject, "the role of this instance is not known")).into(),
    };
    Report::of([vec![identity::configuration(file)], cloud, machine].concat())
}

/// Everything on this machine that needs no network.
async fn machine(node: &Node, settings: &Settings, outside: &Outside) -> Vec<Finding> {
    let bus = systemd::bus();
    let bus = bus.as_ref();
    let sandbox = Sandbox::of_agent(bus).await;
    let (agent, program, ended, disk, systemd, alias, rendered) = tokio::join!(
        agent::check(node, settings),
        program(node, settings, bus),
        ended::check(node, settings, bus),
        disk::check(node, settings, &sandbox, outside.clock),
        systemd::check(bus, node, settings),
        alias::check(node, settings, bus),
        rendered::check(settings, &sandbox, bus),
    );
    [agent, program, ended.into_iter().collect(), disk, systemd, vec![selinux::check()], alias, rendered].concat()
}

async fn program(node: &Node, settings: &Settings, bus: Option<&Bus>) -> Vec<Finding> {
    match &node.distribution {
        None => etcd::check(settings, bus).await,
        Some(distribution) => distribution::check(&**distribution, node.parts, settings, bus).await,
    }
}
