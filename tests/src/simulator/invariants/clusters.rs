//! I1: one generation accepts writes, the newest established one. I2: no acknowledged write is missing in it.

use quorate_core::ids::EtcdClusterId;

use crate::simulator::world::World;

impl World {
    /// Notes when the cluster is at its limit.
    pub(crate) fn look_whether_full(&mut self) {
        let voters = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()).map_or(0, |d| d.voters().count());
        if voters >= self.policy.max_voters {
            self.checks.full_at = Some(self.now);
        }
    }

    /// A cluster that can accept a client's write now must be the one that the charter established last.
    pub(crate) fn check_clusters(&mut self) {
        let serving: Vec<EtcdClusterId> = self.serving_clusters();
        for cluster in serving {
            if !self.store.ever_established.contains(&cluster) {
                self.violate("I1", format!("etcd cluster {cluster} serves its clients, and no record ever called it established"));
            } else if self.store.ever_established.last() != Some(&cluster) {
                self.violate("I1", format!("etcd cluster {cluster} accepts writes, although a newer generation was established"));
            }
        }
    }

    /// Clusters with a leader that has quorum, and a member that serves others.
    fn serving_clusters(&self) -> Vec<EtcdClusterId> {
        let leaders = self.etcd.quorate_leaders(&self.network);
        let clusters = leaders.filter_map(|l| Some((l, self.etcd.servers[l].data.as_ref()?.cluster)));
        let serves = |leader: usize| {
            let mut hosts = self.etcd.live_hosts();
            hosts.any(|h| self.etcd.serves_remote(h) && self.etcd.leader_near(h, &self.network) == Some(leader))
        };
        clusters.filter(|(leader, _)| serves(*leader)).map(|(_, cluster)| cluster).collect()
    }

    /// The leader that has just acknowledged a write must hold all that was acknowledged before.
    pub(crate) fn check_written(&mut self, leader: usize) {
        let Some(data) = &self.etcd.servers[leader].data else { return };
        let missing = self.checks.acknowledged.minus(&data.writes).find(|w| !self.checks.forgiven.contains(*w));
        if let Some(write) = missing {
            let cluster = data.cluster;
            self.violate(
                "I2",
                format!("etcd cluster {cluster} acknowledges writes, but lacks write {write}, which was acknowledged earlier"),
            );
        }
    }

    /// The leader with quorum of the newest established cluster.
    pub(crate) fn true_leader(&self) -> Option<usize> {
        let cluster = *self.store.ever_established.last()?;
        self.etcd.quorate_leaders(&self.network).find(|l| self.etcd.servers[*l].data.as_ref().is_some_and(|d| d.cluster == cluster))
    }
}
