//! What a node remembers from cycle to cycle: plain data. Only [`PersistentState`] survives a restart; the rest is rebuilt from what is observed, by
//! [`crate::tracker`].

mod backoff;
mod callers;
mod leaving;
mod waits;
mod watch;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::charter::{Record, State};
use crate::ids::{GroupName, InstanceId, SnapshotKey};
use crate::observation::HookRef;
use crate::pausing::Pausing;
use crate::rotation::Trust;
use crate::sources::Sources;
use crate::time::Timestamp;

pub use backoff::BackoffKey;
pub use callers::{Caller, Callers};
pub use leaving::{Deregistration, Ending, Leave};
pub use waits::{Waited, Waits};
pub use watch::{
    Admission, EffortWatch, HeardAs, HookHeartbeat, HookWatch, InstanceWatch, LearnerWatch, LocalWatch, QuorumWatch, ServerWatch,
    SnapshotWatch,
};

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
    /// `quorate recover --snapshot KEY|newest --cluster NAME`: restore a snapshot here although policy halts, and give up the data of members
    /// that can never have quorum again.
    RecoverSnapshot {
        /// Which one; absent for the newest that verifies.
        key: Option<SnapshotKey>,
    },
    /// `quorate recover --survivor --cluster NAME`: continue from this node's own data although policy forbids it.
    RecoverSurvivor {
        /// Although this member's own list of voters differs from the charter's: the operator has seen both.
        although_voters_differ: bool,
    },
    /// `quorate recover --reattached-volume --cluster NAME`: continue from the data of the only voter, whose volume was moved to this instance.
    RecoverReattachedVolume,
    /// `quorate pki rotate`: have the cluster's certificates come from a new authority.
    RotateAuthority,
}

impl Order {
    /// It brings the cluster back by giving something up, so it is void where a quorum is alive.
    #[must_use]
    pub fn recovers(&self) -> bool {
        matches!(self, Self::RecoverFresh | Self::RecoverSnapshot { .. } | Self::RecoverSurvivor { .. } | Self::RecoverReattachedVolume)
    }
}

/// An instance that this node once saw: a group listed it, it carried the cluster's tag, or EC2 knew it by the id that a record names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownInstance {
    /// Its group, if one listed it.
    pub group: Option<GroupName>,
    /// Its last known address.
    pub address: Option<IpAddr>,
    /// When EC2 launched it.
    pub launched: Option<Timestamp>,
}

/// The part that survives a restart: one small file, written before any step that depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersistentState {
    /// The file's format.
    pub version: u32,
    /// The instance whose memory it is; another instance's (a baked image, a warm pool) is ignored.
    pub instance: InstanceId,
    /// The highest charter record that this node read or wrote.
    pub record: Option<Record>,
    /// An operator's order.
    pub order: Option<Order>,
    /// Instances seen and not yet known to be gone.
    pub seen: BTreeMap<InstanceId, KnownInstance>,
    /// What is paused. A file from before there were pauses has none, and a file without any looks as it did then.
    #[serde(default, skip_serializing_if = "Pausing::is_empty")]
    pub pausing: Pausing,
    /// What it remembered before was damaged, and the charter has not been read since. An operator's order and a pause of this node are forgotten.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
    /// Whose certificates the running etcd accepts: what the files held when it was last seen stopped. Absent without TLS, and until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<Trust>,
}

impl PersistentState {
    /// The format that this code reads and writes.
    pub const VERSION: u32 = 1;

    /// Sets an operator's order, or clears it. An order to leave ends every pause here: an operator who wants the node out wants it to act.
    pub fn take_order(&mut self, order: Option<Order>) {
        if order == Some(Order::Leave) {
            self.pausing.leave();
        }
        // An operator who says what the node is to do accepts that it has forgotten the rest.
        self.forgotten = false;
        self.order = order;
    }

    /// An empty memory.
    #[must_use]
    pub fn new(instance: InstanceId) -> Self {
        Self {
            version: Self::VERSION,
            instance,
            record: None,
            order: None,
            seen: BTreeMap::new(),
            pausing: Pausing::default(),
            forgotten: false,
            loaded: None,
        }
    }

    /// A memory in place of one that was damaged.
    #[must_use]
    pub fn forgotten(instance: InstanceId) -> Self {
        Self { forgotten: true, ..Self::new(instance) }
    }
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
    /// Dead instances' own entries.
    pub places: Option<Timestamp>,
    /// Lifecycle hooks.
    pub hooks: Option<Timestamp>,
    /// This instance's place in its group.
    pub own_state: Option<Timestamp>,
    /// How many questions were put, to vary the jitter.
    pub count: u64,
    /// Since when something has been awaited from AWS, which is therefore asked more often.
    pub fast_poll_since: Option<Timestamp>,
}

/// All that a node remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What survives a restart.
    pub kept: PersistentState,
    /// When this agent started.
    pub started: Timestamp,
    /// When an observation was last taken in.
    pub absorbed: Option<Timestamp>,
    /// When a step was last done that is not a heartbeat, a deregistration, or the end of a hook.
    pub acted: Option<Timestamp>,
    /// The last refusal or failure, for the report.
    pub last_trouble: Option<String>,
    /// When a refused step of this kind may be tried again.
    pub backoff: BTreeMap<BackoffKey, Timestamp>,
    /// The other instances.
    pub instances: InstanceWatch,
    /// The etcd cluster.
    pub quorum: QuorumWatch,
    /// This machine's own member.
    pub local: LocalWatch,
    /// Since when this node may claim; its rank delays it from here.
    pub may_claim: Option<Timestamp>,
    /// The claim that this run of the agent made, and when: the others are asked again after it.
    pub claimed: Option<(u64, Timestamp)>,
    /// For how long the join has waited only for this node itself.
    pub joining: Duration,
    /// This instance has asked its group to replace it.
    pub reported_unhealthy: bool,
    /// This node is leaving.
    pub leaving: Option<Leave>,
    /// How far the end of the last voter has come here.
    pub ending: Ending,
    /// Lifecycle hooks.
    pub hooks: HookWatch,
    /// A control plane's servers.
    pub servers: ServerWatch,
    /// Snapshots.
    pub snapshots: SnapshotWatch,
    /// When each kind of question was last put to AWS.
    pub asked: Asked,
    /// What this node waits for.
    pub waits: Waits,
    /// The sources of information that cannot be read.
    pub sources: Sources,
}

impl Memory {
    /// A memory at the start of an agent.
    #[must_use]
    pub fn new(kept: PersistentState, now: Timestamp) -> Self {
        Self {
            kept,
            started: now,
            absorbed: None,
            acted: None,
            last_trouble: None,
            backoff: BTreeMap::new(),
            instances: InstanceWatch::default(),
            quorum: QuorumWatch::default(),
            local: LocalWatch::default(),
            may_claim: None,
            claimed: None,
            joining: Duration::ZERO,
            reported_unhealthy: false,
            leaving: None,
            ending: Ending::default(),
            hooks: HookWatch::default(),
            servers: ServerWatch::default(),
            snapshots: SnapshotWatch::default(),
            asked: Asked::default(),
            waits: Waits::new(),
            sources: Sources::default(),
        }
    }

    /// How long `instance` has been silent; counted from when it came under watch if it was never heard.
    #[must_use]
    pub fn silent_for(&self, instance: &InstanceId, now: Timestamp) -> Duration {
        let InstanceWatch { heard, watched, .. } = &self.instances;
        let since = heard.get(instance).or_else(|| watched.get(instance)).copied().unwrap_or(now);
        now.since(since)
    }

    /// Since when this node has been leaving.
    #[must_use]
    pub fn leaving_since(&self) -> Option<Timestamp> {
        self.leaving.as_ref().map(|leave| leave.since)
    }

    /// Whether this completion was refused so recently that it waits.
    #[must_use]
    pub fn hook_waits(&self, hook: &HookRef, instance: &InstanceId, now: Timestamp) -> bool {
        self.hooks.not_before.get(&(hook.clone(), instance.clone())).is_some_and(|at| now < *at)
    }

    /// Its member is stopped as the last voter, and everything that was to be saved and recorded is.
    #[must_use]
    pub fn has_ended_its_cluster(&self) -> bool {
        let retired = |r: &Record| matches!(r.state, State::Retired { .. }) && r.lists(&self.kept.instance);
        self.kept.record.as_ref().is_some_and(retired) || self.ending == Ending::Stopped
    }

    /// Whether a step of this kind was refused so recently that it waits.
    #[must_use]
    pub fn waits(&self, kind: BackoffKey, now: Timestamp) -> bool {
        self.backoff.get(&kind).is_some_and(|at| now < *at)
    }
}
