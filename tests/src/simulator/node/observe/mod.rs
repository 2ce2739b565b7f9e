//! One look at the world, exactly as far as this node can see it.

mod aws;
mod etcd;
mod local;
mod peers;

use quorate_core::time::Timestamp;

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
        slow |= self.observe_peers(n, agent);
        slow |= self.observe_etcd(n, agent);
        slow |= self.ask_aws(n, agent);
        slow
    }

    fn observe_target(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        match self.nodes[n].imds {
            Imds::Silent => failed(&mut agent.seen.target, now, limit, "IMDS does not answer"),
            Imds::Empty => failed(&mut agent.seen.target, now, limit, "IMDS answered the empty text"),
            Imds::Well => {
                let target = self.region.metadata(&self.nodes[n].me.instance).and_then(|m| m.target);
                let state = target.map(|t| quorate_core::observation::LifecycleState::parse(t.as_str()));
                agent.seen.target = quorate_core::reading::Reading::Fresh(state, now);
            }
        }
        self.nodes[n].imds == Imds::Silent
    }

    fn observe_store(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.stale_after);
        if self.nodes[n].store_down || self.misses() {
            failed(&mut agent.seen.store, now, limit, "the store does not answer");
            return true;
        }
        let known = agent.memory.kept.record.as_ref().map(|r| r.number);
        let version = (self.store.version, known);
        if agent.store_read == Some(version) {
            confirm(&mut agent.seen.store, now);
        } else {
            agent.seen.store = quorate_core::reading::Reading::Fresh(self.store.view(known), now);
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

/// Ages every value of a map of readings.
fn age_all<K: Ord, T>(
    map: &mut std::collections::BTreeMap<K, quorate_core::reading::Reading<T>>,
    now: Timestamp,
    limit: std::time::Duration,
) {
    for reading in map.values_mut() {
        age(reading, now, limit);
    }
}
