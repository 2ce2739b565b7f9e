//! One moment as a node sees it: an observation, a memory, a policy and the time.

use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use quorate_core::ids::{EtcdClusterId, InstanceId, MemberId};
use quorate_core::memory::{Memory, PersistentState};
use quorate_core::observation::{
    Cloud, Effort, EtcdView, Installed, KubernetesView, Local, LocalData, Me, Notices, Observation, SnapshotsView,
};
use quorate_core::pausing::{Pause, Pausing};
use quorate_core::plan::Step;
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::safety::{Gate, Refusal};
use quorate_core::time::Timestamp;

/// The instances of these worlds; the first is the one that decides.
pub(crate) const NAMES: &[&str] = &["i-a", "i-b", "i-c", "i-d", "i-e"];
pub(crate) const NOW: Timestamp = Timestamp(1_000_000_000);

/// The longest time between two of an agent's looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) seen: Observation,
    pub(crate) memory: Memory,
    /// The gate, which has looked at all that was seen.
    pub(crate) gate: Gate,
    /// Every look before this one, the oldest first.
    pub(crate) past: Vec<(Rc<Observation>, Timestamp)>,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
}

impl World {
    /// A world in which nothing is known.
    pub(crate) fn new() -> Self {
        Self {
            seen: nothing(me()),
            memory: Memory::new(PersistentState::new(instance(0)), NOW),
            gate: Gate::default(),
            past: Vec::new(),
            policy: Policy::default(),
            now: NOW,
        }
    }

    /// What the gate says of a step.
    pub(crate) fn check(&self, step: &Step) -> Result<(), Refusal> {
        self.gate.check(step, &self.seen, &self.memory, &self.policy, self.now)
    }

    /// Gives the world a past: from `began` to `changed` it was as `before`, and since then as it is now. The gate has looked at it all along.
    pub(crate) fn had_been(&mut self, before: Observation, began: Timestamp, changed: Timestamp) {
        let (before, now) = (Rc::new(before), Rc::new(self.seen.clone()));
        for (seen, from, to) in [(before, began, changed), (now, changed, self.now)] {
            let mut at = from;
            while at < to {
                self.gate.absorb(&seen, &self.memory, &self.policy, at);
                self.past.push((Rc::clone(&seen), at));
                at = at + BETWEEN_LOOKS;
            }
        }
        self.gate.absorb(&self.seen, &self.memory, &self.policy, self.now);
    }

    /// Removes the write-ahead log from the data, if there is any, and keeps its label, as after a start that ended at once.
    pub(crate) fn lose_the_log(&mut self) {
        if let Reading::Fresh(LocalData::Present(identity), _) = &mut self.seen.local.data {
            (identity.cluster, identity.member) = (None, None);
        }
    }

    /// An operator has paused this node; or the cluster, as etcd says now, or as it said when it was last read.
    pub(crate) fn pause(&mut self, whose: u8) {
        let pausing = &mut self.memory.kept.pausing;
        *pausing = Pausing::default();
        match whose {
            0 => pausing.own = Some(pause(0)),
            1 => (pausing.cluster, self.seen.etcd.pause) = (Some(pause(0)), Reading::Fresh(Some(pause(0)), NOW)),
            _ => (pausing.cluster, self.seen.etcd.pause) = (Some(pause(0)), unknown()),
        }
    }

    /// Keeps the memory and forgets the readings.
    pub(crate) fn forget_all_readings(&mut self) {
        let keep = |id: &InstanceId| (id.clone(), Reading::unknown("nothing is known"));
        let peers = self.seen.peers.keys().map(keep).collect();
        self.seen = Observation { peers, ..nothing(self.seen.me.clone()) };
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((first, at)) = self.past.first() {
            writeln!(f, "from {at} on:\n{first:#?}")?;
        }
        write!(f, "{:#?}\n{:#?}\n{:#?}\n{:#?}\nnow {}", self.seen, self.memory, self.gate, self.policy, self.now)
    }
}

fn me() -> Me {
    Me {
        instance: instance(0),
        address: address(0),
        group: "g".into(),
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        cluster: "demo".into(),
        role: quorate_core::role::Role::Etcd,
        launched: Timestamp(10_000),
    }
}

fn nothing(me: Me) -> Observation {
    Observation {
        me,
        target: unknown(),
        notices: Notices::unknown("nothing is known"),
        cloud: Cloud {
            groups: unknown(),
            listed: unknown(),
            tagged: unknown(),
            asked: [].into(),
            places: [].into(),
            hooks: unknown(),
            own_state: unknown(),
        },
        store: unknown(),
        peers: [].into(),
        callers: [].into(),
        local: Local {
            data: unknown(),
            reattached: None,
            ran_this_boot: true,
            superseded: true,
            process: unknown(),
            effort: Effort::default(),
            certificates: unknown(),
            etcd: Installed::unknown("nothing is known"),
            shutdown: None,
        },
        kubernetes: KubernetesView::none(),
        snapshots: SnapshotsView::none("nothing is known"),
        etcd: EtcdView {
            membership: unknown(),
            refused: None,
            busy: None,
            local_list: unknown(),
            statuses: [].into(),
            lock: unknown(),
            pause: unknown(),
            version: unknown(),
        },
    }
}

pub(crate) fn unknown<T>() -> Reading<T> {
    Reading::unknown("nothing is known")
}

pub(crate) fn pause(life: u64) -> Pause {
    Pause { since: Timestamp(NOW.0 - 60_000 * (life + 1)), by: "alice".into(), on: instance(1) }
}

pub(crate) fn instance(index: usize) -> InstanceId {
    InstanceId::new(NAMES[index % NAMES.len()])
}

pub(crate) fn address(index: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, u8::try_from(index % NAMES.len() + 1).unwrap()])
}

/// Each instance has had two members in its life: i-a's are a0 and a1.
pub(crate) fn member(index: usize, life: usize) -> MemberId {
    MemberId(u64::try_from(0xa0 + (index % NAMES.len()) * 16 + life % 2).unwrap())
}

pub(crate) fn cluster(index: usize) -> EtcdClusterId {
    EtcdClusterId([0xe1, 0xe2][index % 2])
}
