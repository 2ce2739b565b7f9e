//! One run: the region, the nodes, the network, the store and etcd, in virtual time.

mod client;
mod faults;
mod machines;
mod notices;
mod setup;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::ids::MemberId;
use quorate_core::plan::Plan;
use quorate_core::policy::Policy;
use quorate_core::report::RuleId;
use quorate_core::time::Timestamp;

use super::etcd_model::Etcd;
use super::invariants::{Checks, Violation};
use super::k3s::Kubernetes;
use super::network::Network;
use super::node::Node;
use super::queue::{Event, Queue};
use super::rng::Rng;
use super::sabotage::Sabotage;
use super::schedule::{Schedule, Weather};
use super::stats::Stats;
use super::store::Store;
use crate::region::{Region, ViewId};
pub(crate) use setup::{CLUSTER, CLUSTER_TAG};

/// Pause between two beats of etcd and of the client.
const BEAT: Duration = Duration::from_millis(500);
/// How often to check whether everything has settled, once the faults are over.
const SETTLING: Duration = Duration::from_secs(2);

/// The world of one run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) rng: Rng,
    /// What concerns snapshots is drawn apart, so schedules are much as they were before there were any.
    pub(crate) luck: Rng,
    pub(crate) queue: Queue,
    pub(crate) region: Region,
    pub(crate) etcd: Etcd,
    pub(crate) network: Network,
    pub(crate) store: Store,
    pub(crate) kubernetes: Kubernetes,
    pub(crate) nodes: Vec<Node>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) schedule: Schedule,
    pub(crate) weather: Weather,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) stats: Stats,
    pub(crate) checks: Checks,
    pub(crate) violation: Option<Violation>,
    /// What a fault has done, for undoing it.
    pub(crate) struck: BTreeMap<usize, usize>,
    pub(crate) views: BTreeMap<usize, ViewId>,
    announced: BTreeMap<usize, notices::Announced>,
    /// Voters that somebody added by hand, and removes again.
    pub(crate) by_hand: Vec<MemberId>,
    /// Somebody wants those removed now.
    remove_by_hand: bool,
    /// Learners that start receive a snapshot for long.
    pub(crate) slow_learners: bool,
    story: Option<String>,
    last_told: BTreeMap<usize, String>,
    next_settling: Timestamp,
}

impl World {
    /// Runs until something is violated, everything has settled after the faults, or the time is up.
    pub(crate) fn run(&mut self) {
        while self.violation.is_none() && self.next() {}
        self.stats.runs = 1;
        self.stats.virtual_seconds = self.now.0 / 1000;
    }

    /// Runs until that time without failing.
    pub(crate) fn run_until(&mut self, until: Timestamp) {
        while self.now < until && self.next() {}
    }

    /// One event; false when the run is over.
    fn next(&mut self) -> bool {
        let region = self.region.next_timer();
        let own = self.queue.next().unwrap_or(Timestamp(u64::MAX));
        let at = region.map_or(own, |r| r.min(own)).max(self.now);
        if at >= self.schedule.end {
            self.now = self.schedule.end;
            self.check_end();
            return false;
        }
        self.now = at;
        if region.is_some_and(|r| r <= at) {
            self.follow_region();
        } else if let Some((_, event)) = self.queue.pop() {
            self.happen(event);
        }
        !self.has_settled_down()
    }

    fn has_settled_down(&mut self) -> bool {
        if self.now < self.next_settling {
            return false;
        }
        self.next_settling = self.now + SETTLING;
        self.let_go_of_the_retained();
        self.end_pauses();
        if self.checks.amnesia {
            self.stats.forgotten += 1;
            return true;
        }
        let settled = self.unsettled().is_none();
        self.stats.converged += u64::from(settled);
        settled
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick => self.tick(),
            Event::Start { node, epoch } if self.nodes[node].epoch == epoch => self.boot(node),
            Event::Look { node, epoch } | Event::Act { node, epoch } if self.nodes[node].epoch == epoch => {
                match self.nodes[node].frozen_until {
                    Some(until) => self.queue.set(until.max(self.now) + Duration::from_millis(1), event),
                    None if matches!(event, Event::Act { .. }) => self.act(node),
                    None => self.look(node),
                }
            }
            Event::Upload { node, epoch } if self.nodes[node].epoch == epoch => match self.nodes[node].frozen_until {
                Some(until) => self.queue.set(until.max(self.now) + Duration::from_millis(1), event),
                None => self.end_upload(node),
            },
            Event::Off { node, epoch } if self.nodes[node].epoch == epoch => self.os_is_down(node),
            Event::Thaw { node } => self.thaw(node),
            Event::Fault(index) => self.strike(index),
            Event::Ease(index) => self.ease(index),
            Event::Start { .. } | Event::Look { .. } | Event::Act { .. } | Event::Off { .. } | Event::Upload { .. } => {}
        }
    }

    fn tick(&mut self) {
        self.etcd.tick(self.now, &self.network);
        self.tick_servers();
        self.write_as_client();
        self.check_clusters();
        self.check_servers();
        self.look_for_amnesia();
        self.tidy_by_hand();
        self.look_whether_full();
        self.queue.set(self.now + BEAT, Event::Tick);
        if self.now >= self.schedule.calm && !self.checks.calm {
            self.calm_down();
        }
    }

    /// Adds a line to the story, if one is kept.
    pub(crate) fn tell(&mut self, n: usize, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let _ = writeln!(story, "{:>10} {:<22} {}", self.now.to_string(), self.nodes[n].me.instance.as_str(), line());
        }
    }

    /// Adds a line about the world.
    pub(crate) fn tell_all(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let _ = writeln!(story, "{:>10} {:<22} {}", self.now.to_string(), "*", line());
        }
    }

    /// Tells a node's report when it changes; heartbeats would drown the rest.
    pub(crate) fn tell_report(&mut self, n: usize, plan: &Plan) {
        if self.story.is_none() || plan.report.rule == RuleId::Heartbeat {
            return;
        }
        let line = format!("[{}] {}{}", plan.report.rule, plan.report, if plan.report.needs_operator { " (OPERATOR)" } else { "" });
        if self.last_told.get(&n) != Some(&line) {
            self.tell(n, || line.clone());
            self.last_told.insert(n, line);
        }
    }

    /// The story so far.
    pub(crate) fn story(&self) -> &str {
        self.story.as_deref().unwrap_or_default()
    }
}
