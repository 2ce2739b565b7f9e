//! Why a step was not let through: the invariant that it would break, with the values that decided. The sentences are in `explain/refusals.rs`.

mod charter;
mod cluster;
mod node;
mod snapshots;

pub use charter::{CharterFault, ClaimFault, Home, LossFault, NoConsent, RecordFault, VotersFault};
pub use cluster::{DataFault, LockState, MemberFault, VoterList};
pub use node::{HookFault, InstanceFault, NodeFault};
pub use snapshots::SnapshotFault;

use crate::certificates::Unfit;
use crate::etcd_version::VersionGap;
use crate::ids::InstanceId;
use crate::pausing::Pause;

/// Why a step was not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of step.
    pub step: &'static str,
    /// What it would break.
    pub why: Violation,
}

impl std::error::Error for Refusal {}

/// The invariant that a step would break, by subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// It rests on something that was not read just now.
    Unread(Unread),
    /// Only an operator may decide it.
    Operator(NotOrdered),
    /// What the charter says is in the way.
    Charter(CharterFault),
    /// The record that it would write is wrong.
    Record(RecordFault),
    /// The voters that the record would list are wrong.
    Voters(VotersFault),
    /// Quorum is not lost for good, or what is lost cannot be given up.
    Loss(LossFault),
    /// The claim that it rests on is in doubt.
    Claim(ClaimFault),
    /// Another instance does not consent.
    Consent(NoConsent),
    /// The data on this disk is in the way.
    Data(DataFault),
    /// etcd's members are in the way.
    Member(MemberFault),
    /// The etcd here and what it would meet differ by too many versions.
    Version(VersionGap),
    /// This node's certificates are of no use.
    Certificates(Unfit),
    /// An instance is not in the state that the step needs.
    Instance(InstanceFault),
    /// A lifecycle hook is not to be completed.
    Hook(HookFault),
    /// A Kubernetes node or server is in the way.
    Node(NodeFault),
    /// A snapshot is not to be taken, restored or deleted.
    Snapshot(SnapshotFault),
}

macro_rules! by_subject {
    ($($subject:ident($what:ty)),* $(,)?) => {
        $(impl From<$what> for Violation {
            fn from(what: $what) -> Self {
                Self::$subject(what)
            }
        })*
    };
}

by_subject! {
    Unread(Unread),
    Operator(NotOrdered),
    Charter(CharterFault),
    Record(RecordFault),
    Voters(VotersFault),
    Loss(LossFault),
    Claim(ClaimFault),
    Consent(NoConsent),
    Data(DataFault),
    Member(MemberFault),
    Version(VersionGap),
    Certificates(Unfit),
    Instance(InstanceFault),
    Hook(HookFault),
    Node(NodeFault),
    Snapshot(SnapshotFault),
}

/// What the gate has to know, and does not. What is unknown permits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// etcd's membership, as a quorum gives it.
    Quorum,
    /// The store.
    Store,
    /// The store, and whether this instance was stopped since its etcd last ran.
    StoreSinceStop,
    /// The list of the store's snapshots.
    Snapshots,
    /// The authority that the store names.
    Authority,
    /// The instances of the cluster's groups.
    Instances,
    /// The instances that have the cluster's tag.
    Tagged,
    /// The lifecycle hooks.
    Hooks,
    /// What is on this disk.
    Disk,
    /// The generation of this disk's data.
    Generation,
    /// Whether this node's service runs.
    Process,
    /// Which member this disk's data belongs to.
    OwnMember,
    /// What this node's own member says of itself.
    OwnStatus,
    /// The member list of this node's own member.
    OwnList,
    /// Any list of voters: a quorum's, its own member's or the charter's.
    Voters,
    /// This node's certificates.
    Certificates,
    /// The version of the etcd here.
    OwnVersion,
    /// The version that the cluster runs.
    ClusterVersion,
    /// How far the data of this instance reaches.
    Revision(InstanceId),
}

/// What only an operator decides, by an order or in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOrdered {
    /// An operator has paused this node or the cluster.
    Paused(Pause),
    /// What this node remembered was damaged, and the charter has not been read since.
    Forgotten,
    /// No operator has ordered the pause that it would write.
    Pause,
    /// No operator has ordered the end of the pause on this node.
    Resume,
    /// The order is not carried out yet: only an operator can withdraw it.
    Withdrawal,
    /// Without a store, only an order keeps two nodes from founding at once.
    Founding,
    /// Only `recover --fresh` founds an empty cluster again.
    Fresh,
    /// The policy does not let a survivor go on without an order.
    Recovery,
    /// The policy does not let a node restore a snapshot without an order.
    Restore,
    /// No operator has said that the volume here is the newest copy.
    ReattachedVolume,
    /// No drill is configured.
    Drill,
}
