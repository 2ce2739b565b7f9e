//! Kubernetes, where a distribution's server runs here: its Node, those of others, and its drain.

use quorate_core::ids::EtcdClusterId;
use quorate_core::observation::{Draining, ListedNode, NodeView};
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use super::super::Agent;
use super::super::readings::failed;
use crate::simulator::world::World;

const AWAY: &str = "no API server answers";

/// A drain that the agent runs.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    /// When the last pod would be gone.
    pub(crate) pods_gone: Timestamp,
    /// Its limit.
    pub(crate) end: Timestamp,
    /// When an API server last answered.
    pub(crate) answered: Timestamp,
    /// When it ended.
    pub(crate) over: Option<Timestamp>,
}

impl World {
    pub(super) fn observe_kubernetes(&mut self, n: usize, agent: &mut Agent) -> bool {
        if !self.has_servers() {
            return false;
        }
        let (now, limit) = (self.now, self.policy.stale_after);
        let view = &mut agent.seen.kubernetes;
        view.points_at = self.nodes[n].k3s.config.as_ref().and_then(|c| c.server);
        let api = self.api(n).filter(|_| !self.misses());
        self.go_on_draining(n, agent, api);
        let Some(cluster) = api else {
            failed(&mut agent.seen.kubernetes.node, now, limit, AWAY);
            failed(&mut agent.seen.kubernetes.nodes, now, limit, AWAY);
            return self.nodes[n].k3s.kubeconfig.is_some();
        };
        agent.seen.kubernetes.node = Reading::Fresh(self.own_node(n, cluster), now);
        let own = self.etcd.member_id(n);
        if agent.seen.etcd.membership.fresh().is_some_and(|m| m.leader.is_some() && m.leader == own) {
            agent.seen.kubernetes.nodes = Reading::Fresh(self.all_nodes(cluster), now);
        } else {
            failed(&mut agent.seen.kubernetes.nodes, now, limit, AWAY);
        }
        false
    }

    fn own_node(&self, n: usize, cluster: EtcdClusterId) -> Option<NodeView> {
        let node = self.registered(cluster, &self.nodes[n].me.instance)?;
        let own = self.etcd.member_id(n);
        let entry = self.list_of(cluster).and_then(|list| list.members.iter().find(|m| Some(m.id) == own));
        Some(NodeView {
            uid: node.uid.clone(),
            ready: node.is_ready(self.now),
            schedulable: !node.cordoned,
            cordoned_by_us: node.cordoned,
            is_voter: Some(entry.is_some_and(|m| !m.learner)),
            removed: node.removed,
        })
    }

    fn all_nodes(&self, cluster: EtcdClusterId) -> Vec<ListedNode> {
        let nodes = self.kubernetes.nodes.get(&cluster).into_iter().flatten();
        let listed = |(id, node): (&quorate_core::ids::InstanceId, &crate::simulator::k3s::Registered)| ListedNode {
            name: id.as_str().to_owned(),
            uid: node.uid.clone(),
            ready: node.is_ready(self.now),
            control_plane: true,
        };
        nodes.map(listed).collect()
    }

    /// The drain cordons, and is over when the pods are gone, its time is, or its patience with the API servers.
    fn go_on_draining(&mut self, n: usize, agent: &mut Agent, api: Option<EtcdClusterId>) {
        let Some(drain) = &mut agent.drain else {
            agent.seen.kubernetes.draining = Draining::NotBegun;
            return;
        };
        if let Some(cluster) = api {
            drain.answered = self.now;
            let id = self.nodes[n].me.instance.clone();
            if let Some(node) = self.registered_mut(cluster, &id).filter(|_| drain.over.is_none()) {
                node.cordoned = true;
            }
        }
        let silent = self.now.since(drain.answered) >= self.policy.drain.patience_without_api;
        let is_over = self.now >= drain.end || silent || (api.is_some() && self.now >= drain.pods_gone);
        if drain.over.is_none() && is_over {
            drain.over = Some(self.now);
            self.nodes[n].k3s.drained = true;
        }
        agent.seen.kubernetes.draining = match drain.over {
            Some(at) => Draining::Over { message: "has drained its node".to_owned(), at },
            None => Draining::Goes { message: "evicts pods".to_owned(), end: drain.end },
        };
    }
}
