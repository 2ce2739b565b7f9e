//! The configuration of a region: its account, its addresses, and how long things take.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::ids::{AccountId, RegionName};

/// One account in one region.
#[derive(Clone, Debug)]
pub struct RegionConfig {
    /// The account number.
    pub account: AccountId,
    /// The region's name.
    pub region: RegionName,
    /// Instance ids and action tokens derive from it; two regions with one seed and one history are equal.
    pub seed: u64,
    /// How long things take.
    pub delays: Delays,
    /// The private addresses to give out.
    pub addresses: AddressRange,
    /// In a dual-stack subnet, the first of the IPv6 addresses that instances have besides. None is given out twice.
    pub second_addresses: Option<Ipv6Addr>,
    /// The shortest heartbeat timeout accepted; 30 s in the real API, less only to make a lab quick.
    pub shortest_heartbeat_timeout: Duration,
    /// Whether an instance whose launch was abandoned still runs through its terminating hooks. Undocumented, so testable both ways.
    pub hooks_after_abandoned_launch: bool,
}

impl Default for RegionConfig {
    fn default() -> Self {
        Self {
            account: AccountId::new("123456789012"),
            region: RegionName::new("eu-central-1"),
            seed: 1,
            delays: Delays::default(),
            addresses: AddressRange::default(),
            second_addresses: None,
            shortest_heartbeat_timeout: Duration::from_secs(30),
            hooks_after_abandoned_launch: true,
        }
    }
}

/// A run of private addresses, and whether a freed one is given out again before the fresh ones.
#[derive(Clone, Copy, Debug)]
pub struct AddressRange {
    /// The first address: IPv6 in a subnet that has no other.
    pub first: IpAddr,
    /// How many there are; a launch fails when all are taken.
    pub size: u32,
    /// Freed addresses go out first: the next instance gets the address of the last one that died.
    pub reuse: bool,
}

impl Default for AddressRange {
    fn default() -> Self {
        Self { first: Ipv4Addr::new(10, 0, 0, 10).into(), size: 4000, reuse: false }
    }
}

/// How long things take. The defaults are the order of magnitude of the real thing.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// From the launch until the machine is powered on (`pending` to `running`).
    pub boot: Duration,
    /// From `running` until the group prepares the way into service; until then IMDS has no target state.
    pub prepare: Duration,
    /// From `Terminating` until IMDS says `Terminated`; never later than `deregistration`.
    pub target: Duration,
    /// From `Terminating` to `Terminating:Wait`: the load balancer's deregistration delay (300 s by default there).
    pub deregistration: Duration,
    /// How long after a `:Wait` state shows the completion of its actions is still refused.
    pub completion_race: Duration,
    /// From a `:Proceed` state to what follows it.
    pub proceed: Duration,
    /// From `shutting-down` to `terminated`: the time that the machine has to stop.
    pub shutdown: Duration,
    /// From `terminated` until the instance is out of its group's list.
    pub departure: Duration,
    /// How long a terminated instance can still be described.
    pub forget: Duration,
    /// From the loss of the hardware until EC2 says `terminated`.
    pub status: Duration,
    /// From an EC2 state other than `running` until the group notices.
    pub health: Duration,
    /// From `SetInstanceHealth` until the group acts on it.
    pub unhealthy: Duration,
    /// From the launch until the describes list the instance.
    pub listing: Duration,
    /// Between two steps of an instance refresh.
    pub refresh: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            boot: Duration::from_secs(10),
            prepare: Duration::from_secs(1),
            target: Duration::ZERO,
            deregistration: Duration::from_secs(5),
            completion_race: Duration::from_secs(2),
            proceed: Duration::from_secs(1),
            shutdown: Duration::from_secs(60),
            departure: Duration::from_secs(1),
            forget: Duration::from_secs(3600),
            status: Duration::from_secs(60),
            health: Duration::from_secs(30),
            unhealthy: Duration::from_secs(5),
            listing: Duration::ZERO,
            refresh: Duration::from_secs(1),
        }
    }
}

impl Delays {
    /// Nothing takes any time, but a terminated instance stays visible for its hour.
    #[must_use]
    pub fn none() -> Self {
        Self {
            boot: Duration::ZERO,
            prepare: Duration::ZERO,
            target: Duration::ZERO,
            deregistration: Duration::ZERO,
            completion_race: Duration::ZERO,
            proceed: Duration::ZERO,
            shutdown: Duration::ZERO,
            departure: Duration::ZERO,
            forget: Duration::from_secs(3600),
            status: Duration::ZERO,
            health: Duration::ZERO,
            unhealthy: Duration::ZERO,
            listing: Duration::ZERO,
            refresh: Duration::ZERO,
        }
    }

    /// Short, but in the order and proportions of the real thing: for a lab that people watch.
    #[must_use]
    pub fn lab() -> Self {
        let tenths = |n: u64| Duration::from_millis(100 * n);
        Self {
            boot: tenths(5),
            prepare: tenths(2),
            target: tenths(1),
            deregistration: tenths(10),
            completion_race: tenths(5),
            proceed: tenths(2),
            shutdown: tenths(100),
            departure: tenths(5),
            forget: Duration::from_secs(3600),
            status: tenths(20),
            health: tenths(20),
            unhealthy: tenths(10),
            listing: tenths(5),
            refresh: tenths(5),
        }
    }
}

/// A tag of a group or of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its key, such as `quorate:cluster`.
    pub key: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

impl Tag {
    /// A tag.
    #[must_use]
    pub fn new(key: &str, value: &str) -> Self {
        Self { key: Arc::from(key), value: Arc::from(value) }
    }
}
