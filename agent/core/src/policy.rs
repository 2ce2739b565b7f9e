//! What the operator may choose. The defaults are those of the design; each says what goes wrong when it is far off.

mod patience;

use std::time::Duration;

use crate::drain::Escalation;
use crate::ids::TargetGroupArn;
use crate::snapshot::retention::Retention;
use crate::transport::Transport;

/// What to do without an operator when quorum is lost for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Act only when the survivors meet every possible quorum, so that no acknowledged write can be missing.
    Safe,
    /// Act in other cases too, from the newer of the best survivor's data and the newest snapshot that verifies. Acknowledged writes may be missing, which
    /// is reported.
    Any,
    /// Never act.
    Halt,
}

/// What to do without an operator when the data of every voter is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTotalLoss {
    /// Restore the newest snapshot that verifies.
    Restore,
    /// Never act.
    Halt,
}

/// How a termination hook is completed when leaving safely was impossible before its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailedLeave {
    /// Let the instance end.
    Continue,
    /// Keep it where the group retains on abandon; elsewhere it ends anyway.
    Abandon,
}

/// What to do when EC2 recommends rebalancing a spot instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRebalance {
    /// Report it, and stay: a recommendation takes nothing away, and a group without capacity rebalancing sends no replacement.
    Report,
    /// Leave as soon as the replacement votes, or the patience is over. For groups with capacity rebalancing.
    Leave,
}

/// What to do with a member of etcd that was added by hand and never started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strangers {
    /// Report it.
    Report,
    /// Remove it once it has been there for as long as a learner may stand still.
    Remove,
}

/// All choices and times of the planner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Pause between two looks at the world while nothing is to be done.
    pub cycle: Duration,
    /// A reading older than this is stale.
    pub stale_after: Duration,
    /// A learner this many entries behind the leader, or fewer, is caught up. etcd's own test is a ratio, which an old log makes meaningless.
    pub caught_up_lag: u64,
    /// The number of readings in a row at which it must be caught up.
    pub caught_up_readings: u32,
    /// A node that cannot join within this time, counting only time when the join waits for the node itself, gives up its launch.
    pub join_deadline: Duration,
    /// A learner without progress for this long is removed.
    pub learner_patience: Duration,
    /// A departed voter must have been silent for this long before it is pruned.
    pub prune_grace: Duration,
    /// How long a leaver waits for its replacement.
    pub replacement_patience: Duration,
    /// The agent beside etcd's leader must have been silent for this long, while its etcd answers, before another stands in for it.
    pub stand_in_after: Duration,
    /// After this time of waiting for one thing, an operator is called; a wait that has a patience of its own gets this on top.
    pub wait_patience: Duration,
    /// More starts than this within `broken_window` make a member broken.
    pub broken_restarts: u32,
    /// See `broken_restarts`.
    pub broken_window: Duration,
    /// Quorum must have been lost for this long before any node acts.
    pub quorum_loss_grace: Duration,
    /// How much longer each rank of a candidate waits before it claims. This only avoids collisions; the claim itself decides.
    pub rank_delay: Duration,
    /// EC2 must have known nothing of an instance for this long before it counts as gone: a new instance can be unknown for minutes.
    pub unknown_is_gone_after: Duration,
    /// Slow cadence of the AWS control plane while serving; jittered by a fifth.
    pub aws_cadence: Duration,
    /// Cadence while something is awaited from the AWS control plane.
    pub aws_hurry: Duration,
    /// An answer of the AWS control plane older than this is not acted on.
    pub cloud_fresh: Duration,
    /// A member that runs but has not answered for this long is restarted, if the others have quorum without it.
    pub frozen_after: Duration,
    /// Time that a leaver without any termination hook gives itself: EC2 may cut the power soon after the notice.
    pub unhooked_leave: Duration,
    /// How long before its start a scheduled event that takes the instance away makes the node leave. It is announced weeks ahead, and leaving then
    /// would leave the cluster a voter short for weeks. A leave takes seconds, and its patience for a replacement minutes.
    pub scheduled_lead: Duration,
    /// The number of voters at most; further instances wait as spares.
    pub max_voters: usize,
    /// The lock's lease.
    pub lock_ttl: Duration,
    /// Longest time that one call of a step may take; the lock must outlast it.
    pub call_timeout: Duration,
    /// Pause before a refused membership change is tried again.
    pub retry: Duration,
    /// See [`Recovery`].
    pub recovery: Recovery,
    /// See [`OnTotalLoss`].
    pub on_total_loss: OnTotalLoss,
    /// See [`OnFailedLeave`].
    pub on_failed_leave: OnFailedLeave,
    /// See [`OnRebalance`].
    pub on_rebalance: OnRebalance,
    /// See [`Strangers`].
    pub strangers: Strangers,
    /// How the members of a new cluster are reached. A cluster that exists keeps what its charter says.
    pub transport: Transport,
    /// The operator vouches for the network in place of TLS: unauthenticated answers may then permit recovery.
    pub network_trusted: bool,
    /// How long the operating system's shutdown is delayed for leaving or for handing over.
    pub shutdown_budget: Duration,
    /// Time reserved before a leave's deadline for completing the hook.
    pub leave_margin: Duration,
    /// How a Kubernetes node is drained.
    pub drain: DrainPolicy,
    /// Target groups that the operator registers instances with by other means than the Auto Scaling group, which deregisters its own. The instance
    /// is deregistered when it leaves.
    pub target_groups: Vec<TargetGroupArn>,
    /// When snapshots are taken, and which are kept.
    pub snapshots: SnapshotPolicy,
}

/// How a Kubernetes node is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainPolicy {
    /// How long it may take at most; it is cut shorter where the rest of the leave needs the time.
    pub budget: Duration,
    /// Pause before a refused eviction is tried again.
    pub retry: Duration,
    /// The number of evictions asked for side by side, at most.
    pub batch: usize,
    /// After this long without any answer from an API server, whatever needs it is given up: the membership must not wait for it.
    pub patience_without_api: Duration,
    /// What happens to pods that are left at the end.
    pub escalation: Escalation,
    /// A reboot drains too, and does not only cordon.
    pub at_reboot: bool,
}

/// When snapshots are taken, and which are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPolicy {
    /// They are taken at all, where a store is configured.
    pub enabled: bool,
    /// The time between two snapshots, which the agent beside the leader takes.
    pub interval: Duration,
    /// A snapshot no older than this is recent enough before a change of the membership.
    pub recent: Duration,
    /// How long a change waits at most for the snapshot before it: no dead member may stay because there is no store.
    pub change_patience: Duration,
    /// How long after a failure the next one is tried.
    pub retry: Duration,
    /// Which are kept.
    pub retention: Retention,
    /// The time between two trial restores of the newest, by one agent; absent for never.
    pub drill_interval: Option<Duration>,
}

impl Default for SnapshotPolicy {
    fn default() -> Self {
        let secs = Duration::from_secs;
        let (interval, recent, change_patience, retry) = (secs(1800), secs(60), secs(60), secs(60));
        Self { enabled: true, interval, recent, change_patience, retry, retention: Retention::default(), drill_interval: None }
    }
}

impl Default for DrainPolicy {
    fn default() -> Self {
        let secs = Duration::from_secs;
        let (retry, patience_without_api) = (secs(5), secs(60));
        Self { budget: secs(300), retry, batch: 20, patience_without_api, escalation: Escalation::Delete, at_reboot: false }
    }
}

impl Default for Policy {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self {
            cycle: secs(2),
            stale_after: secs(6),
            caught_up_lag: 500,
            caught_up_readings: 3,
            join_deadline: secs(600),
            learner_patience: secs(300),
            prune_grace: secs(60),
            replacement_patience: secs(300),
            stand_in_after: secs(60),
            wait_patience: secs(900),
            broken_restarts: 3,
            broken_window: secs(300),
            quorum_loss_grace: secs(600),
            rank_delay: secs(10),
            unknown_is_gone_after: secs(3600),
            aws_cadence: secs(600),
            aws_hurry: secs(5),
            cloud_fresh: secs(45),
            frozen_after: secs(30),
            unhooked_leave: secs(60),
            scheduled_lead: secs(900),
            max_voters: 7,
            lock_ttl: secs(20),
            call_timeout: secs(5),
            retry: Duration::from_millis(500),
            recovery: Recovery::Safe,
            on_total_loss: OnTotalLoss::Restore,
            on_failed_leave: OnFailedLeave::Continue,
            on_rebalance: OnRebalance::Report,
            strangers: Strangers::Report,
            transport: Transport::Plain,
            network_trusted: false,
            shutdown_budget: secs(300),
            leave_margin: secs(10),
            drain: DrainPolicy::default(),
            target_groups: Vec::new(),
            snapshots: SnapshotPolicy::default(),
        }
    }
}
