//! The beginning of a run: its region with its groups, and nothing running yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_core::time::Timestamp;

use super::{Etcd, Event, World};
use crate::region::{ActionResult, AddressRange, GroupSpec, HookSpec, Region, RegionConfig, Transition};
use crate::simulator::invariants::Checks;
use crate::simulator::k3s::Kubernetes;
use crate::simulator::network::Network;
use crate::simulator::queue::Queue;
use crate::simulator::rng::Rng;
use crate::simulator::sabotage::Sabotage;
use crate::simulator::schedule::{POLICY_ANY, Schedule, WITHOUT_SNAPSHOTS};
use crate::simulator::stats::Stats;
use crate::simulator::store::Store;

/// The hooks of every group.
pub(crate) const LAUNCH_HOOK: &str = "quorate-launch";
pub(crate) const TERMINATE_HOOK: &str = "quorate-terminate";
/// The groups' tag, which their instances carry too.
pub(crate) const CLUSTER_TAG: &str = "quorate:cluster";
pub(crate) const CLUSTER: &str = "prod";

/// What becomes of snapshots is drawn apart.
const LUCK: u64 = 0x51 << 32;

impl World {
    pub(crate) fn new(seed: u64, schedule: Schedule, sabotage: Option<Sabotage>, tells: bool) -> Self {
        let seed = seed & !(WITHOUT_SNAPSHOTS | POLICY_ANY);
        let mut rng = Rng::new(seed);
        let region = Region::new(RegionConfig {
            seed: rng.next(),
            delays: schedule.delays,
            addresses: AddressRange { reuse: schedule.reuse_addresses, ..AddressRange::default() },
            shortest_heartbeat_timeout: std::time::Duration::from_secs(1),
            ..RegionConfig::default()
        });
        let etcd = Etcd::new(schedule.rule, schedule.catch_up, Rng::new(rng.next()));
        let mut world = Self {
            now: Timestamp(0),
            rng,
            luck: Rng::new(seed ^ LUCK),
            queue: Queue::default(),
            region,
            etcd,
            network: Network::default(),
            store: Store::default(),
            kubernetes: Kubernetes::default(),
            nodes: Vec::new(),
            policy: Arc::new(schedule.policy.clone()),
            weather: schedule.weather,
            sabotage,
            stats: Stats::default(),
            checks: Checks::default(),
            violation: None,
            struck: BTreeMap::new(),
            views: BTreeMap::new(),
            announced: BTreeMap::new(),
            by_hand: Vec::new(),
            remove_by_hand: false,
            slow_learners: false,
            story: tells.then(String::new),
            last_told: BTreeMap::new(),
            next_settling: schedule.calm,
            schedule,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for (number, size) in self.schedule.sizes.clone().into_iter().enumerate() {
            let spec = self.group_spec(number, size);
            if let Err(error) = self.region.create_group(spec, self.now) {
                self.tell_all(|| format!("the group could not be made: {error}"));
            }
        }
        for index in 0..self.schedule.faults.len() {
            self.queue.set(self.schedule.faults[index].0, Event::Fault(index));
        }
        self.queue.set(self.now, Event::Tick);
    }

    fn group_spec(&self, number: usize, size: u32) -> GroupSpec {
        let schedule = &self.schedule;
        let hook = |name, transition, timeout, result| HookSpec::new(name, transition).timeout(timeout).default_result(result);
        let mut spec = GroupSpec::new(&format!("group-{number}"), size).sizes(0, 8, size).tag(CLUSTER_TAG, CLUSTER);
        spec.launch_before_terminate = schedule.launch_before_terminate;
        spec.retain_on_abandon = schedule.retain_on_abandon;
        // An operator who keeps abandoned instances also keeps those whose agent could not say anything in time.
        let unsaid = if schedule.retain_on_abandon { ActionResult::Abandon } else { ActionResult::Continue };
        if schedule.hooks {
            spec = spec.hook(hook(LAUNCH_HOOK, Transition::Launching, schedule.launch_timeout, ActionResult::Abandon)).hook(hook(
                TERMINATE_HOOK,
                Transition::Terminating,
                schedule.terminate_timeout,
                unsaid,
            ));
        }
        spec
    }
}
