//! What a node remembers from cycle to cycle. Only [`Kept`] survives a restart; the rest is rebuilt from what is observed.

mod absorb;
mod callers;
mod heard_as;
mod note;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::charter::{Record, State};
use crate::etcd_version::StartRefusal;
use crate::ids::{GroupName, InstanceId, MemberId, SnapshotKey, TargetGroupArn};
use crate::observation::{HookRef, Saved};
use crate::pausing::Pausing;
use crate::sources::Sources;
use crate::time::Timestamp;
pub use callers::{Caller, Callers};

pub use heard_as::HeardAs;

/// An operator's order, kept until it is carried out or taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// `quorate leave`: leave and stay away, until `quorate join`.
    Leave,
    /// `quorate bootstrap`: found the cluster here, where no store is configured; on a survivor of a lost quorum, recover from its data.
    Bootstrap,
    /// `quorate recover --fresh --cluster NAME`: found an empty cluster although one was established.
    RecoverFresh,
    /// `quorate recover --snapshot KEY|newest --cluster NAME`: restore a snapshot here although policy halts, and give up what members still hold
    /// that can never have quorum again.
    RecoverSnapshot {
        /// Which; absent for the newest that verifies.
        key: Option<SnapshotKey>,
    },
    /// `quorate recover --survivor --cluster NAME`: go on from this node's own data although policy forbids it.
    RecoverSurvivor {
        /// Although this member's own list of voters differs from the charter's: the operator has seen both.
        although_voters_differ: bool,
    },
    /// `quorate recover --moved-volume --cluster NAME`: go on from the data of the only voter, whose volume was moved to this instance.
    RecoverMovedVolume,
}

impl Order {
    /// It brings the cluster back by giving something up: void where a quorum is alive.
    #[must_use]
    pub fn recovers(&self) -> bool {
        matches!(self, Self::RecoverFresh | Self::RecoverSnapshot { .. } | Self::RecoverSurvivor { .. } | Self::RecoverMovedVolume)
    }
}

/// An instance that this node once saw: listed by a group, bearing the cluster's tag, or known to EC2 by the id that a record names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its group, if one listed it.
    pub group: Option<GroupName>,
    /// Its last known address.
    pub address: Option<IpAddr>,
    /// When EC2 launched it.
    pub launched: Option<Timestamp>,
}

/// The part that survives a restart: one small file, written before any step that rests on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The file's format.
    pub version: u32,
    /// Whose memory it is; another instance's (a baked image, a warm pool) is ignored.
    pub instance: InstanceId,
    /// The highest charter record that this node read or wrote.
    pub record: Option<Record>,
    /// An operator's order.
    pub order: Option<Order>,
    /// Instances seen and not yet known to be gone.
    pub seen: BTreeMap<InstanceId, Seen>,
    /// What is paused. A file from before there were pauses has none, and one without any is as it was before.
    #[serde(default, skip_serializing_if = "Pausing::is_empty")]
    pub pausing: Pausing,
}

impl Kept {
    /// The format that this code reads and writes.
    pub const VERSION: u32 = 1;

    /// Takes an operator's order, or takes it back. An order to leave ends every pause here: whoever wants the node out wants it to move.
    pub fn take_order(&mut self, order: Option<Order>) {
        if order == Some(Order::Leave) {
            self.pausing.leave();
        }
        self.order = order;
    }

    /// An empty memory.
    #[must_use]
    pub fn new(instance: InstanceId) -> Self {
        Self { version: Self::VERSION, instance, record: None, order: None, seen: BTreeMap::new(), pausing: Pausing::default() }
    }
}

/// How a learner gets on, as the agent beside the leader watches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnerWatch {
    /// The learner.
    pub member: MemberId,
    /// Its applied index at the last progress.
    pub applied: u64,
    /// When it last made progress, or was first seen.
    pub progress_at: Timestamp,
    /// Readings in a row at which it was caught up.
    pub caught_up: u32,
    /// The reading counted last.
    pub counted_at: Timestamp,
}

/// A server that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Which instance.
    pub instance: InstanceId,
    /// Since when.
    pub since: Timestamp,
}

/// Heartbeats of one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When the action was first known to be open.
    pub opened: Timestamp,
    /// When a heartbeat was last accepted; the hook's time counts from here.
    pub accepted: Option<Timestamp>,
    /// When one was last tried.
    pub tried: Option<Timestamp>,
}

/// What became of the deregistration of this instance at one target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deregistration {
    /// It was accepted.
    pub accepted: bool,
    /// So often it was tried.
    pub tries: u32,
    /// When it was last tried.
    pub tried: Timestamp,
}

/// When each kind of question was last put to AWS, answered or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Groups and the instances that they list.
    pub groups: Option<Timestamp>,
    /// Instances by the cluster's tag.
    pub tagged: Option<Timestamp>,
    /// Instances by id, all that were due.
    pub instances: Option<Timestamp>,
    /// The own entries of dead instances.
    pub places: Option<Timestamp>,
    /// Lifecycle hooks.
    pub hooks: Option<Timestamp>,
    /// This instance's place in its group.
    pub own_state: Option<Timestamp>,
    /// How many questions were put, to vary the jitter.
    pub count: u64,
}

/// All that a node remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What survives a restart.
    pub kept: Kept,
    /// When this agent started.
    pub started: Timestamp,
    /// When each instance's agent was last heard. Its etcd alone does not count: an agent that is dead finishes no leave.
    pub heard: BTreeMap<InstanceId, Timestamp>,
    /// Under which key each peer was heard.
    pub heard_as: BTreeMap<InstanceId, HeardAs>,
    /// Since when each instance has been under watch, for those never heard.
    pub watched: BTreeMap<InstanceId, Timestamp>,
    /// When EC2 first and last said in a row that it knows nothing of an instance.
    pub not_found: BTreeMap<InstanceId, (Timestamp, Timestamp)>,
    /// Instances whose end EC2 has confirmed; nothing comes back from there.
    pub terminated: BTreeSet<InstanceId>,
    /// Who leads by a quorum's word, and since when it has been that one at every look.
    pub led: Option<(MemberId, Timestamp)>,
    /// The current learner.
    pub learner: Option<LearnerWatch>,
    /// Since when quorum has been lost.
    pub quorum_lost: Option<Timestamp>,
    /// Since when etcd has run here without any quorum answering.
    pub quorumless: Option<Timestamp>,
    /// Since when this node may claim; its rank delays it from here.
    pub may_claim: Option<Timestamp>,
    /// Since when this node has been leaving.
    pub leaving: Option<Timestamp>,
    /// For how long this node itself, and nobody else, has been what its join waits for.
    pub joining: Duration,
    /// When an observation was last taken in.
    pub absorbed: Option<Timestamp>,
    /// Heartbeats.
    pub beats: BTreeMap<HookRef, Beat>,
    /// Completions that were accepted.
    pub completed: BTreeSet<(HookRef, InstanceId)>,
    /// When this agent last tried in vain to complete a hook of another instance.
    pub tried_for: BTreeMap<InstanceId, Timestamp>,
    /// Not to try a refused completion again before then.
    pub hook_not_before: BTreeMap<(HookRef, InstanceId), Timestamp>,
    /// Not to try a refused step of this kind again before then.
    pub not_before: BTreeMap<&'static str, Timestamp>,
    /// Deregistrations since this node began to leave. Not kept: the call is idempotent.
    pub deregistrations: BTreeMap<TargetGroupArn, Deregistration>,
    /// When a step was last done that is neither a sign of life, nor a deregistration, nor the end of a hook.
    pub acted: Option<Timestamp>,
    /// Starts of the member's process.
    pub starts: Vec<Timestamp>,
    /// Why this node's etcd is not started, if no waiting would mend it, and since when.
    pub refused: Option<(StartRefusal, Timestamp)>,
    /// While this node leaves: when a newcomer last said that its etcd is refused. The patience for a replacement counts from there.
    pub newcomer_refused: Option<Timestamp>,
    /// The claim that this run of the agent made, and when: the others are asked again after it.
    pub claimed: Option<(u64, Timestamp)>,
    /// Since when the local member has run without answering.
    pub local_silent: Option<Timestamp>,
    /// When the local member last answered.
    pub local_answered: Option<Timestamp>,
    /// This agent stopped its member as the last voter, which is to stay down.
    pub rests: bool,
    /// This agent has begun to retire its cluster: it goes on with that to the end, unless it is not to leave any more.
    pub retiring: bool,
    /// The snapshot that holds all of this node's data, taken after its clients were stopped.
    pub final_snapshot: Option<Saved>,
    /// This instance has asked its group to replace it.
    pub reported_unhealthy: bool,
    /// Whose data lies on this disk, and when that was first seen: only a list that was read later can prove a member removed that its distribution
    /// added by itself.
    pub holds: Option<(MemberId, Timestamp)>,
    /// This node may join as a server, and waits to be admitted.
    pub seeks: bool,
    /// Whom this agent, beside the leader, admits as the next server.
    pub admission: Option<Admission>,
    /// Whom it admitted before in vain: others come first.
    pub passed_over: Option<InstanceId>,
    /// Whose agents ask this one, though it never saw them.
    pub callers: Callers,
    /// When the distribution was first asked to remove this node's member.
    pub removal_asked: Option<Timestamp>,
    /// When an API server last told of this node's Node.
    pub api_answered: Option<Timestamp>,
    /// The newest snapshot of the current generation, and since when it has been there, by this node's own clock.
    pub newest_snapshot: Option<(SnapshotKey, Timestamp)>,
    /// Snapshots that turned out not to be what their manifests say, and why.
    pub refused_snapshots: BTreeMap<SnapshotKey, String>,
    /// The store's snapshots have been listed.
    pub snapshots_listed: bool,
    /// When each kind of question was last put to AWS.
    pub asked: Asked,
    /// Which of the sources of knowledge cannot be read.
    pub sources: Sources,
    /// Since when something has been awaited from AWS, so that it is asked more often.
    pub hurry: Option<Timestamp>,
    /// The last refusal or failure, for the report.
    pub last_trouble: Option<String>,
}

impl Memory {
    /// A memory at the start of an agent.
    #[must_use]
    pub fn new(kept: Kept, now: Timestamp) -> Self {
        Self {
            kept,
            started: now,
            heard: BTreeMap::new(),
            heard_as: BTreeMap::new(),
            watched: BTreeMap::new(),
            not_found: BTreeMap::new(),
            terminated: BTreeSet::new(),
            led: None,
            learner: None,
            quorum_lost: None,
            quorumless: None,
            may_claim: None,
            leaving: None,
            joining: Duration::ZERO,
            absorbed: None,
            beats: BTreeMap::new(),
            completed: BTreeSet::new(),
            tried_for: BTreeMap::new(),
            hook_not_before: BTreeMap::new(),
            not_before: BTreeMap::new(),
            deregistrations: BTreeMap::new(),
            acted: None,
            starts: Vec::new(),
            refused: None,
            newcomer_refused: None,
            claimed: None,
            local_silent: None,
            local_answered: None,
            rests: false,
            retiring: false,
            final_snapshot: None,
            reported_unhealthy: false,
            holds: None,
            seeks: false,
            admission: None,
            passed_over: None,
            callers: Callers::default(),
            removal_asked: None,
            api_answered: None,
            newest_snapshot: None,
            refused_snapshots: BTreeMap::new(),
            snapshots_listed: false,
            asked: Asked::default(),
            sources: Sources::default(),
            hurry: None,
            last_trouble: None,
        }
    }

    /// How long `instance` has been silent; counted from when it came under watch if it was never heard.
    #[must_use]
    pub fn silent_for(&self, instance: &InstanceId, now: Timestamp) -> Duration {
        let since = self.heard.get(instance).or_else(|| self.watched.get(instance)).copied().unwrap_or(now);
        now.since(since)
    }

    /// Whether this completion was refused so recently that it waits.
    #[must_use]
    pub fn hook_waits(&self, hook: &HookRef, instance: &InstanceId, now: Timestamp) -> bool {
        self.hook_not_before.get(&(hook.clone(), instance.clone())).is_some_and(|at| now < *at)
    }

    /// Its member is stopped as the last voter, and all that was to be saved and written down is.
    #[must_use]
    pub fn has_ended_its_cluster(&self) -> bool {
        let retired = |r: &Record| matches!(r.state, State::Retired { .. }) && r.lists(&self.kept.instance);
        self.kept.record.as_ref().is_some_and(retired) || (self.rests && !self.retiring)
    }

    /// Whether a step of this kind was refused so recently that it waits.
    #[must_use]
    pub fn waits(&self, kind: &'static str, now: Timestamp) -> bool {
        self.not_before.get(kind).is_some_and(|at| now < *at)
    }
}
