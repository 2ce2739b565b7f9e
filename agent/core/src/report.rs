//! How a plan explains itself: what is being done or awaited, why, and until when.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::explain;
use crate::time::Timestamp;
use crate::wait::{Awaited, WaitReason};

/// What a node is doing, derived again in each cycle and never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It does not know enough of the world yet to be in any other phase.
    Starting,
    /// In a warm pool: never joins.
    Warm,
    /// No cluster yet; it waits to found one or for another to do so.
    Waiting,
    /// It founds a generation.
    Founding,
    /// It joins.
    Joining,
    /// Its member is a learner.
    Learner,
    /// Its member votes.
    Voter,
    /// It serves as a Kubernetes worker.
    Worker,
    /// The cluster is at its limit: it waits un-joined.
    Spare,
    /// The machine reboots, and its member rests meanwhile.
    Resting,
    /// It is leaving.
    Leaving,
    /// It has left.
    Left,
    /// Quorum is lost or its data is gone: it recovers or waits for an operator.
    Recovering,
    /// It does nothing until an operator has fixed what the report says.
    Halted,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 14] = [
        Self::Starting,
        Self::Warm,
        Self::Waiting,
        Self::Founding,
        Self::Joining,
        Self::Learner,
        Self::Voter,
        Self::Worker,
        Self::Spare,
        Self::Resting,
        Self::Leaving,
        Self::Left,
        Self::Recovering,
        Self::Halted,
    ];

    /// A node that is about to become a member; the agent beside the leader looks more often meanwhile.
    #[must_use]
    pub fn is_on_its_way_in(self) -> bool {
        matches!(self, Self::Waiting | Self::Joining | Self::Learner)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Warm => "warm",
            Self::Waiting => "waiting",
            Self::Founding => "founding",
            Self::Joining => "joining",
            Self::Learner => "learner",
            Self::Voter => "voter",
            Self::Worker => "worker",
            Self::Spare => "spare",
            Self::Resting => "resting",
            Self::Leaving => "leaving",
            Self::Left => "left",
            Self::Recovering => "recovering",
            Self::Halted => "halted",
        })
    }
}

/// A rule of the planner's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleId {
    /// Keeps a hook open.
    Heartbeat,
    /// An operator has paused this node or the cluster.
    Paused,
    /// Has the distribution's configuration name another server.
    PointAtServer,
    /// Takes the instance out of a target group.
    DeregisterTarget,
    /// Leaves.
    Leave,
    /// Gets ready for a reboot.
    Reboot,
    /// Joins nothing in the warm pool.
    Warm,
    /// Adopts the volume of another instance, as ordered.
    ReattachedVolume,
    /// Waits for the charter, because its memory was damaged.
    DamagedMemory,
    /// Waits for its disk and process to be known.
    UnprovenDisk,
    /// Halts on a charter that cannot be trusted.
    BrokenCharter,
    /// Writes a vanished record again.
    VanishedRecord,
    /// Recovers.
    Recover,
    /// Founds.
    Found,
    /// Stops an etcd that no record permits.
    NotPermitted,
    /// Puts dead data aside.
    Superseded,
    /// Starts etcd on its data.
    Resume,
    /// Repairs a member that is broken or does not answer.
    BrokenMember,
    /// Lists its member at its new address.
    NewAddress,
    /// Completes its launch.
    LaunchHook,
    /// Takes a snapshot.
    Snapshot,
    /// Gives up its join.
    GiveUpJoin,
    /// Joins.
    Join,
    /// Stands in for the silent agent beside the leader.
    StandIn,
    /// Removes a departed voter.
    Prune,
    /// Removes a voter that was added by hand and never started.
    Stranger,
    /// Completes a dead instance's hooks.
    DeadHooks,
    /// Removes a learner that makes no progress.
    StuckLearner,
    /// Brings the charter's voters in line.
    CharterVoters,
    /// Promotes a learner.
    Promote,
    /// Carries on the rotation of the certificates' authority.
    RotateAuthority,
    /// Restarts etcd, which reads the authorities that it trusts only then.
    ReloadAuthorities,
    /// Admits a server.
    Admit,
    /// Deletes a dead instance's Node.
    DeadNodes,
    /// Makes its Node schedulable again.
    Uncordon,
    /// Deletes snapshots.
    PruneSnapshots,
    /// Restores a snapshot on trial.
    Drill,
    /// Serves.
    Serve,
    /// Waits to know whether its kubelet runs.
    UnknownProcess,
    /// Starts its kubelet.
    Start,
    /// Turns its kubelet to another server.
    Reattach,
    /// No rule applies.
    None,
}

impl RuleId {
    /// Every rule.
    pub const ALL: [Self; 41] = [
        Self::Heartbeat,
        Self::Paused,
        Self::PointAtServer,
        Self::DeregisterTarget,
        Self::Leave,
        Self::Reboot,
        Self::Warm,
        Self::ReattachedVolume,
        Self::DamagedMemory,
        Self::UnprovenDisk,
        Self::BrokenCharter,
        Self::VanishedRecord,
        Self::Recover,
        Self::Found,
        Self::NotPermitted,
        Self::Superseded,
        Self::Resume,
        Self::BrokenMember,
        Self::NewAddress,
        Self::LaunchHook,
        Self::Snapshot,
        Self::GiveUpJoin,
        Self::Join,
        Self::StandIn,
        Self::Prune,
        Self::Stranger,
        Self::DeadHooks,
        Self::StuckLearner,
        Self::CharterVoters,
        Self::Promote,
        Self::RotateAuthority,
        Self::ReloadAuthorities,
        Self::Admit,
        Self::DeadNodes,
        Self::Uncordon,
        Self::PruneSnapshots,
        Self::Drill,
        Self::Serve,
        Self::UnknownProcess,
        Self::Start,
        Self::Reattach,
    ];

    /// Its name in reports, the journal and the stories.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Paused => "paused",
            Self::PointAtServer => "point-at-server",
            Self::DeregisterTarget => "deregister-target",
            Self::Leave => "leave",
            Self::Reboot => "reboot",
            Self::Warm => "warm",
            Self::ReattachedVolume => "reattached-volume",
            Self::DamagedMemory => "damaged-memory",
            Self::UnprovenDisk => "unproven-disk",
            Self::BrokenCharter => "broken-charter",
            Self::VanishedRecord => "vanished-record",
            Self::Recover => "recover",
            Self::Found => "found",
            Self::NotPermitted => "not-permitted",
            Self::Superseded => "superseded",
            Self::Resume => "resume",
            Self::BrokenMember => "broken-member",
            Self::NewAddress => "new-address",
            Self::LaunchHook => "launch-hook",
            Self::Snapshot => "snapshot",
            Self::GiveUpJoin => "give-up-join",
            Self::Join => "join",
            Self::StandIn => "stand-in",
            Self::Prune => "prune",
            Self::Stranger => "stranger",
            Self::DeadHooks => "dead-hooks",
            Self::StuckLearner => "stuck-learner",
            Self::CharterVoters => "charter-voters",
            Self::Promote => "promote",
            Self::RotateAuthority => "rotate-authority",
            Self::ReloadAuthorities => "reload-authorities",
            Self::Admit => "admit",
            Self::DeadNodes => "dead-nodes",
            Self::Uncordon => "uncordon",
            Self::PruneSnapshots => "prune-snapshots",
            Self::Drill => "drill",
            Self::Serve => "serve",
            Self::UnknownProcess => "unknown-process",
            Self::Start => "start",
            Self::Reattach => "reattach",
            Self::None => "none",
        }
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The explanation of one plan: one sentence for the journal, systemd, `quorate status` and the golden tests alike.
#[must_use = "an unread report explains nothing"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the node is doing.
    pub phase: Phase,
    /// The rule that decided.
    pub rule: RuleId,
    /// What is being done, or awaited, and why.
    pub message: Cow<'static, str>,
    /// What is awaited, where no step is taken and it does not simply rest.
    pub awaits: Option<Awaited>,
    /// The wait that has outlasted its patience, and since when it has lasted.
    pub overdue: Option<(WaitReason, Timestamp)>,
    /// When the wait ends on its own, if it does.
    pub until: Option<Timestamp>,
    /// An operator must act.
    pub needs_operator: bool,
}

impl Report {
    /// The same, which calls an operator if a wait has outlasted its patience. What calls one already says why.
    pub(crate) fn called_for(self, overdue: Option<(WaitReason, Timestamp)>) -> Self {
        let Some((reason, since)) = overdue.filter(|_| !self.needs_operator) else { return self };
        let message = explain::waiting::for_too_long(&self.message, reason, since);
        Self { message, overdue, needs_operator: true, ..self }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase, self.message)
    }
}
