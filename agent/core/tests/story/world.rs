//! The world of one node, as its story has set it so far, and what the node observes of it.

mod cloud;
mod etcd;
mod kubernetes;
mod local;
mod notices;
mod peers;
mod snapshots;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::engine::{Engine, Ready};
use quorate_core::ids::InstanceId;
use quorate_core::memory::{Memory, Order, PersistentState};
use quorate_core::observation::{Me, Observation};
use quorate_core::pausing::Pause;
use quorate_core::plan::{Outcome, Step};
use quorate_core::policy::{OnFailedLeave, OnRebalance, OnTotalLoss, Policy, Recovery, Strangers};
use quorate_core::reading::Reading;
use quorate_core::role::Role;
use quorate_core::safety::{Refusal, Violation};
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;

use super::records::Store;
use super::words::{Words, address_of, letter, named};
use cloud::CloudWorld;
use etcd::EtcdWorld;
use kubernetes::KubernetesWorld;
use local::Machine;
use notices::NoticesWorld;
use peers::Peers;
use snapshots::SnapshotsWorld;

/// The time at which a story starts: far enough from zero that nothing reaches back before it.
const START: Timestamp = Timestamp(100_000_000);
/// How long a look at the world takes, and a step.
const MOMENT: Duration = Duration::from_millis(100);

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) me: Me,
    pub(crate) now: Timestamp,
    pub(crate) engine: Engine,
    /// Every look since the agent started.
    pub(crate) past: Vec<(Rc<Observation>, Timestamp)>,
    pub(crate) store: Store,
    pub(crate) cloud: CloudWorld,
    pub(crate) notices: NoticesWorld,
    pub(crate) etcd: EtcdWorld,
    pub(crate) machine: Machine,
    pub(crate) peers: Peers,
    pub(crate) kubernetes: KubernetesWorld,
    pub(crate) snapshots: SnapshotsWorld,
    /// Why the state directory cannot be written.
    pub(crate) full: Option<String>,
    /// The instances whose agents ask this one.
    pub(crate) callers: BTreeSet<InstanceId>,
    /// The step that was decided last and let through, until it is done or refused.
    pub(crate) pending: Option<Step>,
    /// What the gate refused when the node decided last.
    pub(crate) refusal: Option<Refusal>,
}

impl World {
    pub(crate) fn new(words: &Words<'_>) -> Self {
        let instance: InstanceId = named(words.nth(0));
        let at = words.after("at").map_or_else(|| instance.clone(), named);
        let launched = words.after("launched").map_or_else(|| u64::from(letter(&instance)) * 10, |word| words.number(word));
        let me = Me {
            instance: instance.clone(),
            address: address_of(&at),
            group: "g".into(),
            account: "123456789012".into(),
            region: "eu-central-1".into(),
            cluster: "demo".into(),
            role: words.after("role").map_or(Role::Etcd, |word| Role::parse(word).unwrap_or_else(|_| words.fail("no such role"))),
            launched: Timestamp(launched * 1000),
        };
        Self {
            past: Vec::new(),
            engine: Engine::new(Arc::new(Policy::default()), PersistentState::new(instance), START),
            me,
            now: START,
            store: Store::default(),
            cloud: CloudWorld::default(),
            notices: NoticesWorld::default(),
            etcd: EtcdWorld::default(),
            machine: Machine::default(),
            peers: Peers::default(),
            kubernetes: KubernetesWorld::default(),
            snapshots: SnapshotsWorld::default(),
            full: None,
            callers: BTreeSet::new(),
            pending: None,
            refusal: None,
        }
    }

    /// A line that sets something.
    pub(crate) fn set(&mut self, verb: &str, words: &Words<'_>) {
        self.pending = None;
        match verb {
            "store" => self.store.set(words, &self.me),
            "target" | "own-state" | "listed" | "desired" | "suspends" | "tagged" | "ec2" | "hooks" => self.cloud.set(verb, words),
            "spot" | "rebalance" | "scheduled" | "imds" => self.notices.set(verb, words, self.now),
            "etcd" | "status" | "lock" => self.etcd.set(verb, words, self.me.role),
            "callers" => self.callers = Words::items(words.rest()).filter(|item| *item != "none").map(named).collect(),
            "node" | "nodes" | "servers" | "points-at" | "authority" | "drain" => self.kubernetes.set(verb, words),
            "snapshots" => self.snapshots.set(words, self.now),
            "disk" | "process" | "binary" | "superseded" | "reboot" => self.machine.set(verb, words),
            "certificates" => self.machine.set_certificates(words, self.now),
            "state-dir" => self.full = Some(words.rest()).filter(|why| *why != "fine").map(str::to_owned),
            "memory-damaged" => {
                let forgotten = PersistentState::forgotten(self.me.instance.clone());
                self.change(|kept| *kept = forgotten);
                self.restart();
            }
            "shutdown" => self.machine.shut_down(words, self.now + words.duration(words.nth(1))),
            "peer" => self.peers.set(words),
            "time" => self.pass(words.duration(words.nth(0))),
            "suspended" => self.now = self.now + words.duration(words.nth(0)),
            "order" => self.order(words),
            "pause" | "resume" => self.pause(verb, words),
            "reads-pause" => self.etcd.pause(elsewhere(words, self.now)),
            "remembers" => {
                let record = self.store.ever(words.number(words.nth(0))).cloned();
                self.change(|kept| kept.record = record);
            }
            "restart" => self.restart(),
            "policy" => {
                let mut policy = self.policy().clone();
                set_policy(&mut policy, words);
                self.engine.set_policy(Arc::new(policy));
            }
            _ => words.fail("no such word"),
        }
        if verb == "reboot" {
            self.restart();
        }
    }

    pub(crate) fn memory(&self) -> &Memory {
        self.engine.memory()
    }

    pub(crate) fn policy(&self) -> &Policy {
        self.engine.policy()
    }

    /// Why the gate refuses this step, if it does.
    pub(crate) fn why_not(&self, step: &Step, seen: &Observation) -> Option<Violation> {
        self.engine.gate().check(step, seen, self.memory(), self.policy(), self.now).err().map(|refusal| refusal.why)
    }

    /// A new process of the agent, with what its disk remembers.
    fn restart(&mut self) {
        self.engine = Engine::new(Arc::clone(self.engine.policy()), self.engine.kept().clone(), self.now);
        self.past.clear();
    }

    fn change(&mut self, change: impl FnOnce(&mut PersistentState)) {
        let mut kept = self.engine.kept().clone();
        change(&mut kept);
        self.engine.adopt(kept);
    }

    fn order(&mut self, words: &Words<'_>) {
        let order = order(words);
        self.change(|kept| kept.take_order(order));
    }

    fn pause(&mut self, verb: &str, words: &Words<'_>) {
        let cluster = match words.nth(0) {
            "cluster" => true,
            "node" => false,
            _ => words.fail("this node is paused, or the cluster"),
        };
        let pause = Pause { since: self.now, by: "alice".into(), on: self.me.instance.clone() };
        self.change(|kept| match verb {
            "pause" => kept.pausing.pause(pause, cluster),
            _ => kept.pausing.resume(cluster),
        });
    }

    /// What the node sees now.
    pub(crate) fn observe(&self) -> Observation {
        let now = self.now;
        let own = self.machine.answering_member();
        Observation {
            me: self.me.clone(),
            target: if self.notices.are_heard() { self.cloud.target(now) } else { stale(self.cloud.target(now)) },
            notices: self.notices.observe(now),
            cloud: self.cloud.observe(&self.me, now),
            store: self.store.reading(now),
            peers: self.peers.observe(self, now),
            callers: self.callers.clone(),
            local: self.machine.observe(now),
            etcd: self.etcd.observe(own, now),
            kubernetes: self.kubernetes.observe(now),
            snapshots: self.snapshots.observe(self.store.with_data(), &self.me, now),
        }
    }

    /// Looks at the world: time passes, and the engine takes in what is seen.
    pub(crate) fn look(&mut self) -> Observation {
        self.decide().0
    }

    /// Looks at the world, and returns what the node decides.
    pub(crate) fn decide(&mut self) -> (Observation, Ready) {
        self.now = self.now + MOMENT;
        let seen = self.observe();
        let ready = self.engine.look(&seen, self.now);
        self.past.push((Rc::new(seen.clone()), self.now));
        let ready = match (&ready.persist, self.full.clone()) {
            (Some(_), Some(why)) => self.engine.not_persisted(ready, &why, self.now),
            (Some(kept), None) => {
                self.engine.persisted(kept.clone());
                ready
            }
            (None, _) => ready,
        };
        (seen, ready)
    }

    /// The outcome of the step that was decided.
    pub(crate) fn done(&mut self, step: &Step, outcome: &Outcome) {
        let followup = self.engine.done(step, outcome, self.now);
        followup.persist.into_iter().filter(|_| self.full.is_none()).for_each(|kept| self.engine.persisted(kept));
    }

    pub(crate) fn step_takes_a_moment(&mut self) {
        self.now = self.now + MOMENT;
    }

    /// Time passes, and the node keeps looking at each cycle. Its heartbeats are sent and accepted; other steps are not taken.
    fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        let cycle = self.policy().cycle;
        while self.now + cycle < end {
            self.now = self.now + (cycle - MOMENT);
            let (_, ready) = self.decide();
            if let Some(step @ Step::Heartbeat { .. }) = &ready.plan.step {
                let outcome = self.cloud.heartbeat();
                self.done(step, &outcome);
            }
        }
        self.now = end;
    }
}

/// A value that was read once and is no longer read.
fn stale<T>(reading: Reading<T>) -> Reading<T> {
    match reading {
        Reading::Fresh(value, at) => Reading::Stale(value, at - Duration::from_secs(60)),
        other => other,
    }
}

/// A pause that was ordered on another node, as etcd has it.
fn elsewhere(words: &Words<'_>, now: Timestamp) -> Option<Pause> {
    (words.nth(0) != "none").then(|| Pause { since: now, by: "bob".into(), on: named(words.nth(0)) })
}

fn order(words: &Words<'_>) -> Option<Order> {
    match words.nth(0) {
        "leave" => Some(Order::Leave),
        "bootstrap" => Some(Order::Bootstrap),
        "rotate-authority" => Some(Order::RotateAuthority),
        "recover-fresh" => Some(Order::RecoverFresh),
        "recover-snapshot" => Some(Order::RecoverSnapshot { key: Some(words.nth(1)).filter(|key| *key != "newest").map(named) }),
        "recover-reattached-volume" => Some(Order::RecoverReattachedVolume),
        "recover-survivor" => Some(Order::RecoverSurvivor { although_voters_differ: words.has("although-voters-differ") }),
        "none" => None,
        _ => words.fail("no such order"),
    }
}

fn set_policy(policy: &mut Policy, words: &Words<'_>) {
    match words.nth(0) {
        "tls" => policy.transport = Transport::Tls,
        "network-trusted" => policy.network_trusted = true,
        "no-snapshots" => policy.snapshots.enabled = false,
        "no-restore" => policy.on_total_loss = OnTotalLoss::Halt,
        "halt" => policy.recovery = Recovery::Halt,
        "any" => policy.recovery = Recovery::Any,
        "abandon" => policy.on_failed_leave = OnFailedLeave::Abandon,
        "strangers-removed" => policy.strangers = Strangers::Remove,
        "rebalance-leaves" => policy.on_rebalance = OnRebalance::Leave,
        "drills" => policy.snapshots.drill_interval = Some(words.duration(words.nth(1))),
        "max-voters" => policy.max_voters = usize::try_from(words.number(words.nth(1))).unwrap(),
        "target-groups" => policy.target_groups = Words::items(words.rest().trim_start_matches("target-groups")).map(named).collect(),
        _ => words.fail("no such policy"),
    }
}
