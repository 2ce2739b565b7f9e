//! What is remembered of each subject, as the agent watches it.

use std::collections::{BTreeMap, BTreeSet};

use super::Callers;
use crate::agent_key::AgentKey;
use crate::etcd_version::StartRefusal;
use crate::ids::{EtcdClusterId, InstanceId, MemberId, SnapshotKey};
use crate::observation::{HookRef, Saved};
use crate::time::Timestamp;

/// The other instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceWatch {
    /// When each instance's agent was last heard. An answer from its etcd does not count: a dead agent finishes no leave.
    pub heard: BTreeMap<InstanceId, Timestamp>,
    /// Under which key each peer was heard.
    pub heard_as: BTreeMap<InstanceId, HeardAs>,
    /// Since when each instance has been under watch, for those never heard.
    pub watched: BTreeMap<InstanceId, Timestamp>,
    /// The first and last of EC2's answers in a row that it knows nothing of an instance.
    pub not_found: BTreeMap<InstanceId, (Timestamp, Timestamp)>,
    /// Instances whose end EC2 has confirmed; they never come back.
    pub terminated: BTreeSet<InstanceId>,
}

/// How an instance's agent was first heard since this agent started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardAs {
    /// The key that signed its answers.
    pub key: AgentKey,
    /// The member whose data it held, by its last answer under that key.
    pub held: Option<(EtcdClusterId, MemberId)>,
}

/// The etcd cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuorumWatch {
    /// The leader by a quorum's word, and since when it has been the same at every look.
    pub led: Option<(MemberId, Timestamp)>,
    /// The leader whose agent does not answer although its etcd does, and since when.
    pub unattended: Option<(MemberId, Timestamp)>,
    /// The leader from which this agent took over, and when.
    pub stood_in: Option<(MemberId, Timestamp)>,
    /// The current learner.
    pub learner: Option<LearnerWatch>,
    /// The voter that has never started, and since when it has been there.
    pub unstarted: Option<(MemberId, Timestamp)>,
    /// Since when quorum has been lost for good.
    pub lost_since: Option<Timestamp>,
    /// Since when etcd has run here without any quorum answering.
    pub absent_since: Option<Timestamp>,
}

/// A learner's progress, as the agent beside the leader watches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnerWatch {
    /// The learner.
    pub member: MemberId,
    /// The fewest entries that it has been behind the leader.
    pub least_lag: u64,
    /// The most bytes of a snapshot that its agent has reported.
    pub received: u64,
    /// When it last made progress, or was first seen.
    pub progress_at: Timestamp,
    /// The number of readings in a row at which it was caught up.
    pub caught_up: u32,
    /// The reading counted last.
    pub counted_at: Timestamp,
}

/// This machine's own member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalWatch {
    /// The member whose data is on this disk, and when that was first seen. A distribution adds its member on its own, so only a list that was read later can
    /// prove that member removed.
    pub holds: Option<(MemberId, Timestamp)>,
    /// Starts of the member's process.
    pub starts: Vec<Timestamp>,
    /// Why this node's etcd is not started, if no waiting would fix it, and since when.
    pub refused: Option<(StartRefusal, Timestamp)>,
    /// Since when the member has run without answering.
    pub silent_since: Option<Timestamp>,
    /// When the member last answered.
    pub answered: Option<Timestamp>,
    /// What its process does while it does not answer.
    pub effort: EffortWatch,
    /// How many times it was restarted because it did not answer, since it last did.
    pub restarts_in_vain: u32,
}

/// How a member's process has come along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EffortWatch {
    /// The work of the last look, and when that was.
    pub work: Option<(u64, Timestamp)>,
    /// When it last worked.
    pub worked: Option<Timestamp>,
    /// The most bytes of a snapshot that were there.
    pub received: u64,
    /// When they last became more.
    pub receiving: Option<Timestamp>,
}

/// Lifecycle hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookWatch {
    /// Heartbeats of this instance's own actions.
    pub heartbeats: BTreeMap<HookRef, HookHeartbeat>,
    /// Completions that were accepted.
    pub completed: BTreeSet<(HookRef, InstanceId)>,
    /// When this agent last tried in vain to complete a hook of another instance.
    pub tried_for: BTreeMap<InstanceId, Timestamp>,
    /// When a refused completion may be tried again.
    pub not_before: BTreeMap<(HookRef, InstanceId), Timestamp>,
}

/// Heartbeats of one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookHeartbeat {
    /// When the action was first known to be open.
    pub opened: Timestamp,
    /// When a heartbeat was last accepted; the hook's time counts from here.
    pub accepted: Option<Timestamp>,
    /// When one was last tried.
    pub tried: Option<Timestamp>,
}

impl HookHeartbeat {
    /// The heartbeats of an action that has just become known.
    #[must_use]
    pub fn opened(at: Timestamp) -> Self {
        Self { opened: at, accepted: None, tried: None }
    }
}

/// A control plane's servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerWatch {
    /// This node may join as a server, and waits to be admitted.
    pub seeks: bool,
    /// The server that this agent, beside the leader, admits next.
    pub admission: Option<Admission>,
    /// The server that it last admitted in vain: others come first.
    pub passed_over: Option<InstanceId>,
    /// Agents that ask this one, although it never saw their instances.
    pub callers: Callers,
    /// When an API server last reported this node's Node.
    pub api_answered: Option<Timestamp>,
}

/// A server that is being admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Which instance.
    pub instance: InstanceId,
    /// Since when.
    pub since: Timestamp,
}

/// Snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotWatch {
    /// The store's snapshots have been listed.
    pub listed: bool,
    /// The newest snapshot of the current generation, and since when it has been there, by this node's own clock.
    pub newest: Option<(SnapshotKey, Timestamp)>,
    /// Snapshots that turned out not to be what their manifests say, and why.
    pub refused: BTreeMap<SnapshotKey, String>,
    /// The snapshot that holds all of this node's data, taken after its clients were stopped. Absent while any client could write.
    pub covering_all: Option<Saved>,
}
