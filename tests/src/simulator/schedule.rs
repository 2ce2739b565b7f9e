//! What a seed decides beforehand: the group, its surroundings, and which faults occur when.

use std::time::Duration;

use quorate_core::policy::{DrainPolicy, OnFailedLeave, OnRebalance, Policy, Recovery, SnapshotPolicy, Strangers};
use quorate_core::role::Role;
use quorate_core::snapshot::retention::Retention;
use quorate_core::time::Timestamp;

use super::etcd_model::Rule;
use super::node::Imds;
use super::rng::Rng;
use crate::region::Delays;

/// How likely each of the small faults is, in a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    /// A reading fails.
    pub(crate) misses: u64,
    /// A call is lost on its way.
    pub(crate) lost_calls: u64,
    /// A call's answer is lost on its way back.
    pub(crate) lost_answers: u64,
    /// The agent crashes before or after a step's effect.
    pub(crate) crashes: u64,
    /// The machine stalls between decision and effect.
    pub(crate) stalls: u64,
    /// How long an unanswered call takes.
    pub(crate) timeout: Duration,
}

impl Weather {
    pub(crate) fn fair() -> Self {
        Self { misses: 0, lost_calls: 0, lost_answers: 0, crashes: 0, stalls: 0, timeout: Duration::from_secs(1) }
    }

    fn of(rng: &mut Rng) -> Self {
        match rng.below(4) {
            0 => Self::fair(),
            1 => Self { misses: 10, lost_calls: 10, lost_answers: 10, stalls: 30, ..Self::fair() },
            2 => Self { crashes: 10 + rng.below(60), stalls: 50, ..Self::fair() },
            _ => Self { misses: 40, lost_calls: 40, lost_answers: 60, crashes: 15, stalls: 50, ..Self::fair() },
        }
    }

    fn foul() -> Self {
        Self { misses: 200, lost_calls: 150, lost_answers: 200, crashes: 50, stalls: 200, ..Self::fair() }
    }
}

/// How a describe differs from the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Late(Duration),
    Short,
    Missing,
    Empty,
}

/// A fault, or something that an operator does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each says what happens")]
pub(crate) enum Fault {
    Terminate {
        decrement: bool,
    },
    Ec2Terminate,
    /// Every instance of each group is terminated in one call, or by EC2 at once, so that no operating system shuts down.
    TerminateAll {
        at_once: bool,
    },
    Detach {
        decrement: bool,
    },
    /// The charter is deleted, and every instance that remembers it is taken out of the groups, alive.
    Orphan,
    Kill {
        count: u64,
    },
    Isolate,
    OneWay,
    Deaf,
    Split,
    Freeze,
    Reboot,
    EtcdCrash,
    AgentCrash,
    MachineCrash,
    See {
        sight: Sight,
        everyone: bool,
    },
    Throttle {
        everyone: bool,
    },
    Imds(Imds),
    StoreDown {
        everyone: bool,
    },
    StoreLag,
    LoseRecord,
    LoseCharter,
    Foreign,
    CapacityShort,
    /// Every machine of one group dies, and none can be launched there.
    ZoneLost,
    Resize(i32),
    /// All groups are scaled to nothing, and back to their sizes when this is over.
    Empty,
    Refresh {
        launch_first: bool,
    },
    Wipe,
    ExpireLock,
    Leave,
    Unmount,
    /// EC2 announces that it takes a spot instance back, and does so when this is over.
    Spot {
        action: &'static str,
    },
    /// EC2 announces a scheduled stop. When this is over it stops the instance, or has canceled it.
    ScheduledStop {
        canceled: bool,
    },
    /// EC2 recommends to rebalance; the group replaces the instance when this is over.
    Rebalance,
    Standby {
        decrement: bool,
    },
    /// An operator pauses a node, or from there the cluster, and resumes when this is over.
    Pause {
        cluster: bool,
    },
    Storm(Weather),
    /// Somebody restarts a server's k3s, or starts it again, with the configuration file that is there.
    Meddle,
    /// The agent ends, and never comes back on this instance: its configuration is refused, say.
    AgentGone,
    /// The agent cannot write its memory.
    StateFull,
    /// Somebody adds a voter by hand and never starts it; when this is over he removes it, if it is still there.
    Stranger,
    /// Until this is over, a learner that starts receives a snapshot for longer than a learner may stand still.
    SlowLearners,
    /// No API server answers.
    ApiAway {
        everyone: bool,
    },
}

/// A whole run, before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// What the groups' instances are.
    pub(crate) role: Role,
    /// Instances of each group.
    pub(crate) sizes: Vec<u32>,
    pub(crate) hooks: bool,
    pub(crate) launch_timeout: Duration,
    pub(crate) terminate_timeout: Duration,
    pub(crate) launch_before_terminate: bool,
    pub(crate) retain_on_abandon: bool,
    pub(crate) reuse_addresses: bool,
    pub(crate) delays: Delays,
    /// From power-on to the agent's start, in milliseconds.
    pub(crate) boot: (u64, u64),
    pub(crate) rule: Rule,
    pub(crate) catch_up: usize,
    /// How likely the client writes in each beat, in a thousand.
    pub(crate) writes: u64,
    pub(crate) policy: Policy,
    /// How often the store's snapshots are listed while nothing changes.
    pub(crate) listing: Duration,
    pub(crate) weather: Weather,
    /// When each fault sets in and how long it lasts.
    pub(crate) faults: Vec<(Timestamp, Fault, Duration)>,
    /// No faults occur from here on.
    pub(crate) calm: Timestamp,
    /// By then everything must have settled.
    pub(crate) end: Timestamp,
}

/// Seeds from here on are played in two or three groups of different sizes, one in each zone. Those below are as they always were: a seed
/// that once broke something stays the same.
pub const SEVERAL_GROUPS: u64 = 1_000_000_000;

/// Seeds from here on are control planes, whose etcd k3s runs; every fourth in several groups.
pub const CONTROL_PLANE: u64 = 2_000_000_000;

/// Seeds from here on also meet what no agent can mend by itself: agents that never come back, full disks, members that nobody started, and large snapshots.
/// Every third is a control plane, every fourth is played in several groups.
pub const HARDSHIPS: u64 = 3_000_000_000;

/// A seed with this bit is the same as without it, except that no snapshots are taken: the seeds that tests know by number are older than snapshots.
pub const WITHOUT_SNAPSHOTS: u64 = 1 << 40;

/// A seed with this bit is the same as without it, except that policy `any` lets the best survivor act where too few are left for `safe`.
pub const POLICY_ANY: u64 = 1 << 41;

/// Time to settle after the faults: several patiences, graces and timeouts one after the other. A server's leave also takes a drain, so a refresh
/// takes twice the time.
const TO_SETTLE: Duration = Duration::from_secs(400);

impl Schedule {
    /// The schedule of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let takes_none = seed & WITHOUT_SNAPSHOTS != 0;
        let by_any = seed & POLICY_ANY != 0;
        let seed = seed & !(WITHOUT_SNAPSHOTS | POLICY_ANY);
        let mut rng = Rng::new(seed ^ 0x5eed);
        let role = match seed {
            0..CONTROL_PLANE => Role::Etcd,
            CONTROL_PLANE..HARDSHIPS => Role::ControlPlane,
            seed if seed.is_multiple_of(3) => Role::ControlPlane,
            _ => Role::Etcd,
        };
        let several = if seed < CONTROL_PLANE { seed >= SEVERAL_GROUPS } else { seed.is_multiple_of(4) };
        let sizes = if several { several_groups(&mut rng) } else { few_groups(&mut rng) };
        let mut faults = faults(&mut rng);
        if several {
            faults.extend(lost_zone(&mut rng));
        }
        if role.has_node() {
            faults.extend(of_servers(&mut rng));
        }
        if !takes_none {
            faults.extend(emptied(seed));
        }
        if seed >= HARDSHIPS {
            faults.extend(hardships(seed));
            faults.extend(terminated(seed));
        }
        let announced = notices(seed);
        let heeds_rebalance = announced.len() > 1;
        faults.extend(announced);
        let last = faults.iter().map(|(at, _, lasts)| *at + *lasts).max().unwrap_or(Timestamp(20_000));
        let calm = last.min(Timestamp(200_000)).max(Timestamp(15_000)) + Duration::from_secs(2);
        let mut schedule = Self {
            role,
            sizes,
            hooks: rng.chance(900),
            launch_timeout: seconds(30),
            terminate_timeout: seconds(*rng.pick(&[30, 60, 120]).unwrap_or(&60)),
            launch_before_terminate: rng.chance(500),
            retain_on_abandon: rng.chance(100),
            reuse_addresses: rng.chance(300),
            delays: delays(&mut rng),
            boot: (500, 1000 + rng.below(6000)),
            rule: if rng.chance(500) { Rule::EveryVoter } else { Rule::QuorumOfMore },
            catch_up: 5 + usize::try_from(rng.below(60)).unwrap_or(0),
            writes: 300,
            policy: policy(&mut rng),
            listing: seconds(60),
            weather: Weather::of(&mut rng),
            faults,
            calm,
            end: calm + if role.has_node() { TO_SETTLE * 2 } else { TO_SETTLE },
        };
        (schedule.policy.snapshots, schedule.listing) = snapshots(seed);
        schedule.policy.snapshots.enabled &= !takes_none;
        if seed >= HARDSHIPS {
            schedule.policy.wait_patience = seconds(60);
            schedule.policy.strangers = if seed.is_multiple_of(2) { Strangers::Remove } else { Strangers::Report };
        }
        if by_any {
            schedule.policy.recovery = Recovery::Any;
        }
        if heeds_rebalance {
            schedule.policy.on_rebalance = OnRebalance::Leave;
        }
        if schedule.retain_on_abandon {
            schedule.policy.on_failed_leave = OnFailedLeave::Abandon;
        }
        schedule
    }
}

fn few_groups(rng: &mut Rng) -> Vec<u32> {
    if rng.chance(200) { vec![1; 3] } else { vec![*rng.pick(&[1, 2, 3, 3, 3, 3, 4, 5]).unwrap_or(&3)] }
}

/// A group may want no instances, as where a zone is kept in reserve; never all groups at once.
fn several_groups(rng: &mut Rng) -> Vec<u32> {
    let size = |rng: &mut Rng| *rng.pick(&[0, 1, 1, 1, 2, 2, 3]).unwrap_or(&1);
    let count = rng.between(1, 2);
    [1 + size(rng).min(2)].into_iter().chain((0..count).map(|_| size(rng))).collect()
}

/// In one of twelve seeds everything is scaled to nothing for a while. Drawn apart, as what EC2 announces is.
fn emptied(seed: u64) -> Option<(Timestamp, Fault, Duration)> {
    let mut rng = Rng::new(seed ^ EMPTIED);
    let at = Timestamp(40_000 + rng.below(60_000));
    rng.chance(83).then(|| (at, Fault::Empty, seconds(rng.between(20, 120))))
}

const EMPTIED: u64 = 0xe0 << 28;

/// One to three of them, mostly once the cluster has formed.
fn hardships(seed: u64) -> Vec<(Timestamp, Fault, Duration)> {
    let mut rng = Rng::new(seed ^ HARD);
    let hardship = |rng: &mut Rng| match rng.below(6) {
        0..=2 => Fault::AgentGone,
        3 => Fault::StateFull,
        4 => Fault::Stranger,
        _ => Fault::SlowLearners,
    };
    let count = rng.between(1, 3);
    (0..count).map(|_| (Timestamp(15_000 + rng.below(110_000)), hardship(&mut rng), seconds(rng.between(10, 80)))).collect()
}

const HARD: u64 = 0xad << 36;

/// In one of twelve others everything is terminated in one call.
fn terminated(seed: u64) -> Option<(Timestamp, Fault, Duration)> {
    let mut rng = Rng::new(seed ^ TERMINATED);
    let (at, at_once) = (Timestamp(40_000 + rng.below(60_000)), rng.chance(300));
    rng.chance(83).then_some((at, Fault::TerminateAll { at_once }, seconds(1)))
}

const TERMINATED: u64 = 0x7e << 26;

/// Most often once the cluster has formed.
fn lost_zone(rng: &mut Rng) -> Option<(Timestamp, Fault, Duration)> {
    let at = Timestamp(20_000 + rng.below(100_000));
    let lasts = Duration::from_millis(rng.between(5_000, 60_000));
    rng.chance(300).then_some((at, Fault::ZoneLost, lasts))
}

/// Faults of servers alone.
fn of_servers(rng: &mut Rng) -> Vec<(Timestamp, Fault, Duration)> {
    let fault = |rng: &mut Rng| if rng.chance(600) { Fault::Meddle } else { Fault::ApiAway { everyone: rng.chance(500) } };
    (0..rng.below(4)).map(|_| (Timestamp(15_000 + rng.below(120_000)), fault(rng), seconds(rng.between(1, 40)))).collect()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The defaults, scaled down so that a run is short; the proportions stay.
pub(crate) fn policy(rng: &mut Rng) -> Policy {
    Policy {
        cycle: seconds(2),
        stale_after: seconds(6),
        caught_up_lag: 5,
        caught_up_readings: 2,
        join_deadline: seconds(90),
        learner_patience: seconds(30),
        prune_grace: seconds(10),
        replacement_patience: seconds(40),
        stand_in_after: seconds(12),
        broken_restarts: 3,
        broken_window: seconds(60),
        quorum_loss_grace: seconds(20),
        rank_delay: seconds(3),
        unknown_is_gone_after: seconds(60),
        aws_cadence: seconds(60),
        aws_hurry: seconds(4),
        cloud_fresh: seconds(36),
        frozen_after: seconds(12),
        unhooked_leave: seconds(15),
        scheduled_lead: seconds(30),
        max_voters: if rng.chance(100) { 3 } else { 7 },
        lock_ttl: seconds(10),
        call_timeout: seconds(2),
        retry: Duration::from_millis(500),
        network_trusted: true,
        leave_margin: seconds(4),
        drain: DrainPolicy { budget: seconds(15), patience_without_api: seconds(8), ..DrainPolicy::default() },
        shutdown_budget: seconds(60),
        ..Policy::default()
    }
}

/// When snapshots are taken and kept, and how often they are listed at rest. Drawn apart, as what EC2 announces is.
fn snapshots(seed: u64) -> (SnapshotPolicy, Duration) {
    let mut rng = Rng::new(seed ^ SNAPSHOTS);
    let (enabled, often) = (rng.chance(850), rng.chance(350));
    let at_least = 1 + rng.index(3).unwrap_or(0);
    let few = Retention { all: seconds(rng.between(5, 20)), hourly: Duration::ZERO, daily: Duration::ZERO, at_least };
    let policy = SnapshotPolicy {
        enabled,
        interval: seconds(if often { 8 } else { 60 }),
        recent: seconds(*rng.pick(&[2, 6, 6, 15]).unwrap_or(&6)),
        change_patience: seconds(*rng.pick(&[1, 6, 6, 25]).unwrap_or(&6)),
        retry: seconds(6),
        retention: if often { few } else { Retention::default() },
        drill_interval: None,
    };
    let listing = seconds(*rng.pick(&[15, 60]).unwrap_or(&60));
    (SnapshotPolicy { drill_interval: rng.chance(150).then(|| seconds(20)), ..policy }, listing)
}

const SNAPSHOTS: u64 = 0xdb << 24;

fn delays(rng: &mut Rng) -> Delays {
    Delays {
        boot: seconds(1 + rng.below(5)),
        prepare: Duration::from_millis(500),
        target: Duration::from_millis(rng.below(1000)),
        deregistration: seconds(1 + rng.below(4)),
        completion_race: Duration::from_millis(rng.below(1500)),
        proceed: Duration::from_millis(500),
        shutdown: seconds(8),
        departure: seconds(1),
        forget: if rng.chance(300) { seconds(100) } else { seconds(3600) },
        status: seconds(*rng.pick(&[2, 2, 15, 60, 180]).unwrap_or(&2)),
        health: seconds(2 + rng.below(8)),
        unhealthy: seconds(2),
        listing: seconds(*rng.pick(&[0, 0, 0, 4, 12]).unwrap_or(&0)),
        refresh: seconds(1),
    }
}

/// Mostly after the cluster has formed, sometimes in the middle of that.
fn faults(rng: &mut Rng) -> Vec<(Timestamp, Fault, Duration)> {
    let from = if rng.chance(300) { 0 } else { 35_000 };
    let count = rng.below(8);
    let spread = 10_000 + count * 12_000;
    (0..count)
        .map(|_| {
            let at = Timestamp(from + rng.below(spread));
            let fault = fault(rng);
            let lasts = match fault {
                Fault::Freeze => Duration::from_millis(rng.between(500, 25_000)),
                _ => Duration::from_millis(rng.between(1_000, 60_000)),
            };
            (at, fault, lasts)
        })
        .collect()
}

/// What EC2 announces, in one of three seeds. It is drawn apart, with a salt, so the seeds that tests know by number stay as they were.
fn notices(seed: u64) -> Vec<(Timestamp, Fault, Duration)> {
    let mut rng = Rng::new(seed ^ NOTICES);
    if !rng.chance(333) {
        return Vec::new();
    }
    (0..rng.between(1, 3)).map(|_| (Timestamp(40_000 + rng.below(60_000)), notice(&mut rng), seconds(rng.between(30, 45)))).collect()
}

const NOTICES: u64 = 0x8b << 20;

fn notice(rng: &mut Rng) -> Fault {
    match rng.below(10) {
        8..=9 => Fault::Pause { cluster: rng.chance(500) },
        0..=2 => Fault::Spot { action: rng.pick(&["terminate", "stop", "hibernate"]).unwrap_or(&"terminate") },
        3..=4 => Fault::ScheduledStop { canceled: rng.chance(400) },
        5 => Fault::Rebalance,
        _ => Fault::Standby { decrement: rng.chance(500) },
    }
}

fn fault(rng: &mut Rng) -> Fault {
    let everyone = rng.chance(500);
    match rng.below(100) {
        0..=13 => Fault::Terminate { decrement: rng.chance(200) },
        14..=16 => Fault::Ec2Terminate,
        17..=24 => Fault::Kill { count: 1 },
        25..=27 => Fault::Kill { count: rng.between(2, 4) },
        28..=33 => Fault::Isolate,
        34..=35 => Fault::OneWay,
        36..=37 => Fault::Deaf,
        38..=41 => Fault::Split,
        42..=46 => Fault::Freeze,
        47..=51 => Fault::Reboot,
        52..=54 => Fault::EtcdCrash,
        55..=58 => Fault::AgentCrash,
        59..=61 => Fault::MachineCrash,
        62..=66 => Fault::See { sight: sight(rng), everyone },
        67..=69 => Fault::Throttle { everyone },
        70 => Fault::Imds(Imds::Silent),
        71 => Fault::Imds(Imds::Empty),
        72..=75 => Fault::StoreDown { everyone },
        76..=77 => Fault::StoreLag,
        78 if everyone => Fault::LoseRecord,
        78 => Fault::LoseCharter,
        79 if everyone => Fault::Orphan,
        79 => Fault::Foreign,
        80..=81 => Fault::CapacityShort,
        82..=86 => Fault::Resize(if rng.chance(500) { 1 } else { -1 }),
        87..=89 => Fault::Refresh { launch_first: everyone },
        90..=92 => Fault::Wipe,
        93..=94 => Fault::ExpireLock,
        95..=96 => Fault::Leave,
        97 => Fault::Unmount,
        98 => Fault::Detach { decrement: everyone },
        _ => Fault::Storm(Weather::foul()),
    }
}

fn sight(rng: &mut Rng) -> Sight {
    match rng.below(4) {
        0 => Sight::Late(seconds(rng.between(2, 40))),
        1 => Sight::Short,
        2 => Sight::Missing,
        _ => Sight::Empty,
    }
}
