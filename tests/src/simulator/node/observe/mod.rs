//! One look at the world: only what this node can see of it.

mod aws;
mod etcd;
mod kubernetes;
mod local;
mod peers;
mod snapshots;

use quorate_core::observation::{EventCode, EventState, Notices, ScheduledEvent, SpotAction, SpotNotice};
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

pub(crate) use kubernetes::Drain;

use super::readings::{age, confirm, failed};
use super::{Agent, Imds};
use crate::simulator::etcd_model::Links;
use crate::simulator::world::World;

impl World {
    /// Refreshes what `agent` of node `n` sees. Says whether something had to be waited for.
    pub(crate) fn observe(&mut self, n: usize, agent: &mut Agent) -> bool {
        let mut slow = self.observe_local(n, agent);
        slow |= self.observe_target(n, agent);
        slow |= self.observe_store(n, agent);
        slow |= self.observe_snapshots(n, agent);
        slow |= self.observe_peers(n, agent);
        slow |= self.observe_etcd(n, agent);
        slow |= self.observe_kubernetes(n, agent);
        slow |= self.ask_aws(n, agent);
        agent.listed.steady = snapshots::is_steady(agent);
        slow
    }

    fn observe_target(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        match self.nodes[n].imds {
            Imds::Silent => fail_all(agent, now, limit, "IMDS does not answer"),
            Imds::Empty => fail_all(agent, now, limit, "IMDS answered the empty text"),
            Imds::Well => {
                let target = self.region.metadata(&self.nodes[n].me.instance).and_then(|m| m.target);
                let state = target.map(|t| quorate_core::observation::LifecycleState::parse(t.as_str()));
                agent.seen.target = Reading::Fresh(state, now);
                self.observe_notices(n, agent);
            }
        }
        self.nodes[n].imds == Imds::Silent
    }

    fn observe_notices(&self, n: usize, agent: &mut Agent) {
        let now = self.now;
        let Some(said) = self.region.metadata(&self.nodes[n].me.instance) else { return };
        let spot = said.spot.as_ref().map(|s| SpotNotice { action: SpotAction::parse(s.action), at: s.time });
        let event = |e: &crate::region::MaintenanceEvent| ScheduledEvent {
            id: e.id.as_str().into(),
            code: EventCode::parse(e.code),
            state: EventState::parse(e.state),
            not_before: e.not_before,
            not_after: e.not_after,
            not_before_deadline: None,
        };
        agent.seen.notices = Notices {
            spot: Reading::Fresh(spot, now),
            rebalance: Reading::Fresh(said.rebalance, now),
            scheduled: Reading::Fresh(said.maintenance.iter().map(event).collect(), now),
        };
    }

    fn observe_store(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        if self.nodes[n].store_down || self.misses() {
            failed(&mut agent.seen.store, now, limit, "the store does not answer");
            return true;
        }
        let known = agent.memory().kept.record.as_ref().map(|r| r.number);
        let version = (self.store.version, known);
        if agent.store_read == Some(version) {
            confirm(&mut agent.seen.store, now);
        } else {
            agent.seen.store = Reading::Fresh(self.store.view(known), now);
            agent.store_read = Some(version);
        }
        false
    }

    /// A reading fails for no reason at all.
    pub(crate) fn misses(&mut self) -> bool {
        self.rng.chance(self.weather.misses)
    }

    /// Whether `n` can call what listens on `to`.
    pub(crate) fn reaches(&self, n: usize, to: usize) -> bool {
        n == to || (self.nodes[to].powered && !self.nodes[to].is_frozen() && self.network.open(n, to))
    }

    /// The powered machine with this address.
    pub(crate) fn at_address(&self, address: std::net::IpAddr) -> Option<usize> {
        self.nodes.iter().position(|node| node.powered && node.me.address == address)
    }
}

fn fail_all(agent: &mut Agent, now: Timestamp, limit: std::time::Duration, why: &'static str) {
    failed(&mut agent.seen.target, now, limit, why);
    failed(&mut agent.seen.notices.spot, now, limit, why);
    failed(&mut agent.seen.notices.rebalance, now, limit, why);
    failed(&mut agent.seen.notices.scheduled, now, limit, why);
}

/// Ages every value of a map of readings.
fn age_all<K: Ord, T>(map: &mut std::collections::BTreeMap<K, Reading<T>>, now: Timestamp, limit: std::time::Duration) {
    for reading in map.values_mut() {
        age(reading, now, limit);
    }
}
