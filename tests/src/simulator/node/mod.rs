//! One instance: its disk, its agent, and what it can reach.

pub(crate) mod act;
pub(crate) mod answer;
pub(crate) mod disk;
pub(crate) mod look;
pub(crate) mod observe;
pub(crate) mod readings;
mod sabotage;
pub(crate) mod uploads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_core::engine::Engine;
use quorate_core::etcd_version::EtcdVersion;
use quorate_core::ids::InstanceId;
use quorate_core::memory::{Memory, PersistentState};
use quorate_core::observation::{Me, Observation, PeerAnswer, SnapshotsView};
use quorate_core::plan::Step;
use quorate_core::policy::Policy;
use quorate_core::report::Report;
use quorate_core::time::Timestamp;

use crate::region::Caller;
use crate::simulator::k3s::Unit;
use disk::Disk;
use uploads::{Listed, Uploads};

/// What every image has.
pub(crate) const VERSION: EtcdVersion = EtcdVersion { major: 3, minor: 5 };

/// What ails an instance's IMDS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Imds {
    Well,
    /// It does not answer.
    Silent,
    /// It answers the empty text, which real ones have been seen to do.
    Empty,
}

/// One instance.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) me: Me,
    pub(crate) caller: Caller,
    pub(crate) powered: bool,
    pub(crate) disk: Disk,
    pub(crate) agent: Option<Box<Agent>>,
    /// Counts agents; events of an earlier one are void.
    pub(crate) epoch: u32,
    pub(crate) frozen_until: Option<Timestamp>,
    pub(crate) imds: Imds,
    /// AWS refuses or does not answer this node.
    pub(crate) aws_down: bool,
    pub(crate) store_down: bool,
    /// The data directory cannot be read.
    pub(crate) disk_unproven: bool,
    /// Its agent never comes back.
    pub(crate) agent_gone: bool,
    /// Its agent's memory cannot be written.
    pub(crate) state_full: bool,
    /// Which servers' agents have asked its agent since it last looked.
    pub(crate) callers: BTreeSet<InstanceId>,
    /// What its agent answers its peers, while it lives.
    pub(crate) answer: Option<Answer>,
    /// Since when nothing has hindered its agent.
    pub(crate) able_since: Timestamp,
    /// An operator took it out by order.
    pub(crate) ordered_out: bool,
    /// etcd was started since the machine booted.
    pub(crate) ran_this_boot: bool,
    /// Its disk was lost while the instance lived on.
    pub(crate) wiped: bool,
    /// Its k3s, where a distribution runs the members.
    pub(crate) k3s: Unit,
    /// Which etcd is installed.
    pub(crate) version: EtcdVersion,
    /// The snapshots that its agent takes.
    pub(crate) uploads: Uploads,
}

/// What an agent answers its peers; the count spares readers from copying the record each time.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) record_version: u64,
    pub(crate) said: PeerAnswer,
}

/// A process of the agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) engine: Engine,
    pub(crate) seen: Observation,
    pub(crate) report: Option<Report>,
    /// The last report that was not about a heartbeat.
    pub(crate) verdict: Option<Report>,
    /// The step that is about to take effect.
    pub(crate) pending: Option<Step>,
    /// Which version of each peer's record it holds.
    pub(crate) heard: BTreeMap<usize, u64>,
    /// Which version of the store it holds, and what it remembered then.
    pub(crate) store_read: Option<(u64, Option<u64>)>,
    /// The drain that it has begun.
    pub(crate) drain: Option<observe::Drain>,
    /// The store's snapshots as it read them last.
    pub(crate) listed: Listed,
}

impl Agent {
    /// An agent that has just started.
    pub(crate) fn new(policy: &Arc<Policy>, me: &Me, kept: Option<PersistentState>, now: Timestamp) -> Self {
        let kept = kept.unwrap_or_else(|| PersistentState::new(me.instance.clone()));
        let seen = Observation {
            snapshots: SnapshotsView::none("snapshots are switched off, or were not listed yet"),
            ..Observation::unknown(me.clone(), "not asked yet")
        };
        Self {
            engine: Engine::new(Arc::clone(policy), kept, now),
            seen,
            report: None,
            verdict: None,
            pending: None,
            heard: BTreeMap::new(),
            store_read: None,
            drain: None,
            listed: Listed::default(),
        }
    }

    pub(crate) fn memory(&self) -> &Memory {
        self.engine.memory()
    }
}

impl Node {
    pub(crate) fn new(me: Me, now: Timestamp) -> Self {
        Self {
            caller: Caller::Instance(me.instance.clone()),
            me,
            powered: true,
            disk: Disk::default(),
            agent: None,
            epoch: 0,
            frozen_until: None,
            imds: Imds::Well,
            aws_down: false,
            store_down: false,
            disk_unproven: false,
            agent_gone: false,
            state_full: false,
            callers: BTreeSet::new(),
            answer: None,
            able_since: now,
            ordered_out: false,
            ran_this_boot: false,
            wiped: false,
            k3s: Unit::default(),
            version: VERSION,
            uploads: Uploads::default(),
        }
    }

    /// Its agent runs and is not suspended.
    pub(crate) fn is_awake(&self) -> bool {
        self.powered && self.frozen_until.is_none() && self.agent.is_some()
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen_until.is_some()
    }
}
