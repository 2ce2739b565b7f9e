//! A decision: at most one step, with everything that its execution needs, and the report that explains it.

mod node;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::authority::AuthorityHash;
use crate::charter::Record;
use crate::ids::{Generation, InstanceId, MemberId, SnapshotKey, TargetGroupArn};
use crate::member_url::MemberUrl;
use crate::observation::HookRef;
use crate::pausing::Pause;
use crate::report::Report;
use crate::role::Role;
use crate::snapshot::SnapshotOrder;
use crate::transport::Transport;

pub use crate::via::Via;
pub use node::NodeStep;

/// The answer that a lifecycle hook gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookResult {
    /// Continue.
    Continue,
    /// Abandon.
    Abandon,
}

impl fmt::Display for HookResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continue => "CONTINUE",
            Self::Abandon => "ABANDON",
        })
    }
}

/// How etcd is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// As the only member of a new cluster, on an empty directory, serving clients on loopback only.
    Found {
        /// The generation to write beside the data first.
        generation: Generation,
        /// The cluster token.
        token: String,
    },
    /// As a member already added, on an empty directory.
    Join {
        /// The generation to write beside the data first.
        generation: Generation,
        /// Every member's name and peer URL, as a quorum's list has them; a nameless one under its hex id.
        initial_cluster: Vec<(String, MemberUrl)>,
    },
    /// As a server of a distribution that adds its own etcd member to the cluster that it joins, on an empty directory.
    JoinServer {
        /// The generation to write beside the data first.
        generation: Generation,
        /// A healthy server to join through.
        server: IpAddr,
    },
    /// As a Kubernetes worker; it has no member.
    Worker {
        /// A healthy server to join through, at an address that EC2 gave for it.
        server: IpAddr,
        /// The authority that its token is to name, according to the store; the token is used as it is where the store names none.
        authority: Option<AuthorityHash>,
    },
    /// On the data that is there.
    Resume {
        /// Serve clients on loopback only, as a founder does until the charter says `established`.
        loopback_only: bool,
        /// Another server, where a distribution runs the member and others exist: a k3s without `server:` that finds its data gone or its member
        /// removed founds a cluster of its own (k3s-io/k3s#13623).
        server: Option<IpAddr>,
    },
    /// On the data that is there, at its end: only for this agent, which saves it. Of a distribution only the etcd runs, because its own API server and
    /// controllers would keep writing.
    Alone,
}

/// Why etcd is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// To open its client port to the others once the charter says `established`.
    OpenToClients,
    /// Its member was removed on the way out.
    Left,
    /// It is the last voter and its instance is leaving: its clients must see no further acknowledgement.
    LastVoterLeaves,
    /// The same, for a moment: it is started again only for this node, so all its data can be saved.
    Retire,
    /// Its data was superseded or its member removed: proven by a quorum read.
    PutAside,
    /// Its data is about to be restored into a new generation.
    Recover,
    /// No record permits it to run.
    NotPermitted,
    /// It runs but does not answer, and the others have quorum without it.
    NotAnswering,
    /// It gives up a join that it could not finish.
    GiveUp,
    /// The machine reboots: the member comes back with it.
    Reboot,
    /// It reads the authorities that it trusts when it starts, and these have changed.
    Reload,
    /// A worker's kubelet uses servers that no longer exist, and starts again through one that answers. Its pods keep running.
    Reattach,
}

impl StopReason {
    /// The member has ended for good: only a decision to join or to found again may start it.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Left | Self::LastVoterLeaves | Self::PutAside | Self::NotPermitted | Self::GiveUp => true,
            Self::OpenToClients | Self::Retire | Self::Recover | Self::NotAnswering | Self::Reboot | Self::Reload | Self::Reattach => false,
        }
    }
}

/// Why data is renamed into the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AsideReason {
    /// An operator's `recover --fresh` founds an empty generation.
    RecoverFresh,
    /// A snapshot is restored in its place.
    RecoverSnapshot,
    /// A join that was not finished is given up.
    GaveUpJoin,
    /// etcd never wrote its log there.
    NeverStarted,
    /// Its member was removed.
    RemovedMember,
    /// It is of an older generation than the established one.
    OlderGeneration,
    /// It is of another etcd cluster than the established one.
    AnotherCluster,
    /// All of it is in the snapshot that its cluster was retired to.
    Retired,
    /// Its member has left.
    Left,
}

impl AsideReason {
    /// Its name, as part of the name in the trash.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RecoverFresh => "recover-fresh",
            Self::RecoverSnapshot => "recover-snapshot",
            Self::GaveUpJoin => "gave-up-join",
            Self::NeverStarted => "never-started",
            Self::RemovedMember => "removed-member",
            Self::OlderGeneration => "older-generation",
            Self::AnotherCluster => "another-cluster",
            Self::Retired => "retired",
            Self::Left => "left",
        }
    }
}

impl fmt::Display for AsideReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the cluster-wide lock is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockPurpose {
    /// Admits a server.
    AdmitServer,
    /// Joins.
    Join,
    /// Leaves.
    Leave,
    /// Lists a member at its new address.
    ListNewAddress,
    /// Promotes a learner.
    Promote,
    /// Stops a member for a reboot.
    Reboot,
    /// Removes a member.
    RemoveMember,
    /// Asks the group for a replacement.
    ReportUnhealthy,
    /// Restarts a member that does not answer.
    RestartFrozen,
    /// Restarts a member that has to read its authorities again.
    Reload,
    /// Takes over from the silent agent beside the leader.
    StandIn,
    /// Writes the list of voters.
    WriteCharter,
}

impl LockPurpose {
    /// The purpose as the others read it in the lock: "holds it to ...".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::AdmitServer => "admit a server",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::ListNewAddress => "list its new address",
            Self::Promote => "promote a learner",
            Self::Reboot => "reboot",
            Self::RemoveMember => "remove a member",
            Self::ReportUnhealthy => "report unhealthy",
            Self::RestartFrozen => "restart a frozen member",
            Self::Reload => "have etcd read its authorities again",
            Self::StandIn => "take over from a silent agent",
            Self::WriteCharter => "write the charter",
        }
    }
}

impl fmt::Display for LockPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// One idempotent step. It leaves its execution no choice.
#[allow(clippy::large_enum_variant, reason = "there is one of them in a cycle, and a record is written seldom")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// RecordLifecycleActionHeartbeat for this instance.
    Heartbeat {
        /// The hook.
        hook: HookRef,
    },
    /// CompleteLifecycleAction by instance id.
    CompleteHook {
        /// The hook.
        hook: HookRef,
        /// The instance whose action it is: this one, or a dead peer.
        instance: InstanceId,
        /// The answer.
        result: HookResult,
    },
    /// Create this charter record if its number is free; a vanished record is rewritten by the same step.
    CreateRecord(Record),
    /// Start etcd, to be reached like this.
    StartMember(Start, Transport),
    /// Stop etcd gracefully, and keep it down.
    StopMember(StopReason),
    /// Rename the data directory into the trash. Never deletes.
    PutDataAside {
        /// Why, for the name in the trash and for the journal.
        why: AsideReason,
    },
    /// Label the data of a reattached volume as this instance's, and change nothing else in it.
    AdoptData {
        /// The instance that the label names.
        owner: InstanceId,
        /// The member whose data it is.
        member: MemberId,
    },
    /// Restore this instance's own, stopped data as a new one-member generation, and keep the old data.
    RestoreOwnData {
        /// The new generation.
        generation: Generation,
        /// The new cluster's token.
        token: String,
        /// How its member is to be reached.
        transport: Transport,
    },
    /// Begin to read a snapshot from the store onto this disk, beside the data, and verify it on the way; runs beside the loop.
    FetchSnapshot {
        /// Which.
        key: SnapshotKey,
    },
    /// Restore the snapshot that was fetched, on an empty disk, as a new one-member generation.
    RestoreSnapshot {
        /// Which.
        key: SnapshotKey,
        /// The new generation.
        generation: Generation,
        /// The new cluster's token.
        token: String,
        /// How its member is to be reached.
        transport: Transport,
    },
    /// Move the old data of a recovery to the trash, now that the new generation is established.
    DropSuperseded,
    /// Take the cluster-wide lock.
    AcquireLock {
        /// Through which member.
        via: Via,
        /// What for.
        purpose: LockPurpose,
    },
    /// Renew its lease.
    RenewLock {
        /// Through which member.
        via: Via,
    },
    /// Release the lock.
    ReleaseLock {
        /// Through which member.
        via: Via,
    },
    /// MemberAdd of this instance as a learner.
    AddLearner {
        /// Through which voter.
        via: Via,
        /// This instance's peer URL.
        peer_url: MemberUrl,
    },
    /// MemberPromote.
    Promote {
        /// Through which voter.
        via: Via,
        /// The learner.
        member: MemberId,
    },
    /// MemberRemove.
    RemoveMember {
        /// Through which voter.
        via: Via,
        /// The member to remove.
        member: MemberId,
    },
    /// MemberUpdate of this instance's own member, whose volume was moved here and which is at this address now.
    UpdatePeerUrl {
        /// Through which voter.
        via: Via,
        /// The member.
        member: MemberId,
        /// This instance's peer URL.
        peer_url: MemberUrl,
    },
    /// MoveLeader; the call must reach the leader itself. The agent beside it hands over, or that of the next leader takes over.
    MoveLeader {
        /// The leader's own endpoint.
        via: Via,
        /// The next leader.
        to: MemberId,
    },
    /// SetInstanceHealth Unhealthy for this instance: asks its group to replace it.
    ReportUnhealthy,
    /// Forget an operator's order that has been carried out.
    ForgetOrder,
    /// Write the cluster's pause, unless there is one.
    SetPause {
        /// Through which member.
        via: Via,
        /// The pause.
        pause: Pause,
    },
    /// Delete the cluster's pause.
    ClearPause {
        /// Through which member.
        via: Via,
    },
    /// What concerns a Kubernetes node.
    Node(NodeStep),
    /// Begin to take a snapshot into the store, beside the loop. One at a time.
    TakeSnapshot(SnapshotOrder),
    /// Begin to restore a snapshot on trial into a scratch directory, beside the loop. One at a time.
    DrillSnapshot {
        /// Which.
        key: SnapshotKey,
    },
    /// Delete snapshots that need not be kept, each one's manifest first, and the remains of uploads that broke off long ago.
    PruneSnapshots {
        /// Whole snapshots.
        keys: Vec<SnapshotKey>,
        /// Data without a manifest.
        abandoned: Vec<String>,
    },
    /// DeregisterTargets of this instance: a load balancer is to send it nothing new. An instance that is no target there is accepted as well.
    DeregisterTarget {
        /// The target group.
        group: TargetGroupArn,
    },
}

impl Step {
    /// It relies on what this node remembers being on its disk: without that, a restart could found a second cluster, start data that is superseded, or forget
    /// what an operator ordered.
    #[must_use]
    pub fn rests_on_memory(&self) -> bool {
        match self {
            Self::StartMember(start, _) => matches!(start, Start::Found { .. } | Start::Join { .. } | Start::JoinServer { .. }),
            Self::CreateRecord(_)
            | Self::AdoptData { .. }
            | Self::RestoreOwnData { .. }
            | Self::RestoreSnapshot { .. }
            | Self::DropSuperseded
            | Self::AddLearner { .. }
            | Self::UpdatePeerUrl { .. }
            | Self::ForgetOrder
            | Self::SetPause { .. }
            | Self::ClearPause { .. } => true,
            Self::Heartbeat { .. }
            | Self::CompleteHook { .. }
            | Self::StopMember(_)
            | Self::PutDataAside { .. }
            | Self::FetchSnapshot { .. }
            | Self::AcquireLock { .. }
            | Self::RenewLock { .. }
            | Self::ReleaseLock { .. }
            | Self::Promote { .. }
            | Self::RemoveMember { .. }
            | Self::MoveLeader { .. }
            | Self::ReportUnhealthy
            | Self::Node(_)
            | Self::TakeSnapshot(_)
            | Self::DrillSnapshot { .. }
            | Self::PruneSnapshots { .. }
            | Self::DeregisterTarget { .. } => false,
        }
    }

    /// The step's kind, as logs, stories and crash points name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Heartbeat { .. } => "heartbeat",
            Self::CompleteHook { .. } => "complete-hook",
            Self::CreateRecord(_) => "create-record",
            Self::StartMember(..) => "start-member",
            Self::StopMember(_) => "stop-member",
            Self::PutDataAside { .. } => "put-data-aside",
            Self::AdoptData { .. } => "adopt-data",
            Self::RestoreOwnData { .. } => "restore-own-data",
            Self::FetchSnapshot { .. } => "fetch-snapshot",
            Self::RestoreSnapshot { .. } => "restore-snapshot",
            Self::DropSuperseded => "drop-superseded",
            Self::AcquireLock { .. } => "acquire-lock",
            Self::RenewLock { .. } => "renew-lock",
            Self::ReleaseLock { .. } => "release-lock",
            Self::AddLearner { .. } => "add-learner",
            Self::Promote { .. } => "promote",
            Self::RemoveMember { .. } => "remove-member",
            Self::UpdatePeerUrl { .. } => "update-peer-url",
            Self::MoveLeader { .. } => "move-leader",
            Self::ReportUnhealthy => "report-unhealthy",
            Self::ForgetOrder => "forget-order",
            Self::SetPause { .. } => "set-pause",
            Self::ClearPause { .. } => "clear-pause",
            Self::Node(step) => step.kind(),
            Self::TakeSnapshot(_) => "take-snapshot",
            Self::DrillSnapshot { .. } => "drill-snapshot",
            Self::PruneSnapshots { .. } => "prune-snapshots",
            Self::DeregisterTarget { .. } => "deregister-target",
        }
    }
}

/// What one cycle decided.
#[must_use = "a plan does nothing by itself"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The step, if one is to be taken now.
    pub step: Option<Step>,
    /// The explanation.
    pub report: Report,
    /// How long to sleep before the next look, when there is no step.
    pub look_again: Duration,
}

/// What execution says of a step. The next observation shows the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted.
    Done,
    /// Refused by the other side, with its own words; nothing changed.
    Refused(String),
    /// Refused because no such lifecycle action is open, with the words of AWS, which are the same for "not yet", "already completed" and "timed
    /// out"; nothing changed.
    NotOpen(String),
    /// The answer was lost or the call failed: the step may or may not have happened.
    Unclear(String),
}

/// The peer URL of Quorate's own etcd at `address`.
#[must_use]
pub fn peer_url(address: IpAddr, transport: Transport) -> MemberUrl {
    Role::Etcd.peer_url(address, transport)
}

/// The client URL of Quorate's own etcd at `address`.
#[must_use]
pub fn client_url(address: IpAddr, transport: Transport) -> MemberUrl {
    Role::Etcd.client_url(address, transport)
}
