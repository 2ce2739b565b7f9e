//! An instance: the machine as EC2 sees it, its place in the group, and what its metadata service says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;

use super::{Ec2State, Health, LifecycleState, Tag, Target};

/// An instance. Kept after its end, so a test can ask what became of it.
#[derive(Debug)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The index of the group that launched it.
    pub(super) group: usize,
    /// Whether it is on its group's list (not detached, not departed).
    pub member: bool,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// Its private address, which may be another's once this one is terminated: IPv6 in a subnet that has no other.
    pub address: IpAddr,
    /// The IPv6 address that it has besides, in a dual-stack subnet.
    pub second_address: Option<Ipv6Addr>,
    /// Its availability zone.
    pub zone: Arc<str>,
    /// Its tags.
    pub tags: Arc<[Tag]>,
    /// The state of the machine as EC2 believes it.
    pub ec2: Ec2State,
    /// Its place in the group.
    pub lifecycle: LifecycleState,
    /// What the group believes of it.
    pub health: Health,
    /// Whether the machine really runs, independently of what EC2 believes.
    pub powered: bool,
    /// When EC2 said `terminated`.
    pub terminated_at: Option<Timestamp>,
    /// What IMDS answers.
    pub metadata: Metadata,
    /// A service of AWS manages it, and the account hides such instances from lists.
    pub hidden: bool,
    /// How its capacity was bought, as EC2 says it (`instance-lifecycle`); `None` is on demand.
    pub capacity: Option<&'static str>,
    /// The open lifecycle actions, by index.
    pub(super) actions: Vec<usize>,
    /// When it entered its present `:Wait` state: completions are refused for a moment after it.
    pub(super) waiting_since: Timestamp,
    /// Terminating without, or after, its hooks: only the machine's end is awaited.
    pub(super) finishing: bool,
    /// Its terminating hooks are to be skipped.
    pub(super) skip_hooks: bool,
    /// It is suspended with its memory, or is about to be.
    pub(super) hibernates: bool,
    pub(super) machine_epoch: u32,
    pub(super) lifecycle_epoch: u32,
    /// The history of how it looked, from which lagging describes answer.
    pub(super) history: Vec<Look>,
}

impl Instance {
    /// Its private IPv4 address.
    #[must_use]
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }

    /// Its IPv6 address.
    #[must_use]
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        match self.address {
            IpAddr::V4(_) => self.second_address,
            IpAddr::V6(address) => Some(address),
        }
    }
}

/// How an instance looked from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// From when.
    pub at: Timestamp,
    /// The state of the machine.
    pub ec2: Ec2State,
    /// Its place in the group.
    pub lifecycle: LifecycleState,
    /// Its health.
    pub health: Health,
    /// Whether it was on the group's list.
    pub member: bool,
}

impl Instance {
    /// Whether EC2 believes that the machine is up, or coming up.
    #[must_use]
    pub fn alive(&self) -> bool {
        matches!(self.ec2, Ec2State::Pending | Ec2State::Running)
    }

    /// Everything that it went through, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Look] {
        &self.history
    }

    /// How it looked at that moment; `None` before its launch.
    pub(super) fn look(&self, at: Timestamp) -> Option<Look> {
        self.history.iter().rev().find(|look| look.at <= at).copied()
    }

    /// Notes how it looks now.
    pub(super) fn record(&mut self, at: Timestamp) {
        let look = Look { at, ec2: self.ec2, lifecycle: self.lifecycle, health: self.health, member: self.member };
        match self.history.last_mut() {
            Some(last) if last.at == at => *last = look,
            _ => self.history.push(look),
        }
    }
}

/// What the metadata service of an instance says. A test may set any of it.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// `autoscaling/target-lifecycle-state`; `None` is 404, as before the first transition is prepared.
    pub target: Option<Target>,
    /// Whether `tags/instance/` is served.
    pub tags: bool,
    /// `spot/instance-action`; `None` is 404.
    pub spot: Option<SpotAction>,
    /// `events/recommendations/rebalance`: when it was issued; `None` is 404.
    pub rebalance: Option<Timestamp>,
    /// `events/maintenance/scheduled`; empty is `[]`, not 404.
    pub maintenance: Vec<MaintenanceEvent>,
}

/// A spot interruption notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotAction {
    /// `terminate`, `stop` or `hibernate`.
    pub action: &'static str,
    /// When it will be done.
    pub time: Timestamp,
}

/// A scheduled event of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceEvent {
    /// Such as `instance-retirement`.
    pub code: &'static str,
    /// Such as `instance-event-0d59937288b749b32`.
    pub id: String,
    /// `active`, `completed` or `canceled`.
    pub state: &'static str,
    /// The earliest start.
    pub not_before: Timestamp,
    /// The latest end, which may be absent.
    pub not_after: Option<Timestamp>,
}
