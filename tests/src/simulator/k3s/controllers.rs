//! What the k3s beside the etcd leader does on its own: it promotes learners, removes stuck ones, and removes members that a Node's annotation names.

use std::time::Duration;

use quorate_core::ids::{EtcdClusterId, InstanceId};

use crate::simulator::etcd_model::Data;
use crate::simulator::world::World;

/// How often it looks after learners.
const TEND: Duration = Duration::from_secs(15);
/// A learner that makes no progress for this long is removed: five minutes in k3s, and the patience of a run is a tenth of the real one.
const STALLED: Duration = Duration::from_secs(60);
/// A removal that etcd refused is tried again.
const AGAIN: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn tick_controllers(&mut self) {
        let leaders: Vec<usize> = self.etcd.quorate_leaders(&self.network).collect();
        let tends = self.now.since(self.kubernetes.tended) >= TEND;
        for leader in leaders {
            self.remove_as_asked(leader);
            if tends {
                self.tend_learner(leader);
            }
        }
        if tends {
            self.kubernetes.tended = self.now;
        }
    }

    /// The list of that cluster as its leader with quorum has it.
    pub(crate) fn list_of(&self, cluster: EtcdClusterId) -> Option<&Data> {
        let mut leaders = self.etcd.quorate_leaders(&self.network).filter_map(|l| self.etcd.servers[l].data.as_ref());
        leaders.find(|d| d.cluster == cluster)
    }

    /// Whether or not any record names it, as k3s knows nothing of a charter.
    fn tend_learner(&mut self, leader: usize) {
        let learner = self.etcd.servers[leader].data.as_ref().and_then(|d| d.members.iter().find(|m| m.learner).cloned());
        let Some(learner) = learner else {
            self.kubernetes.watched = None;
            return;
        };
        if self.etcd.promote(leader, learner.id, self.now, &self.network).is_ok() {
            self.tell(leader, || format!("its k3s promotes {learner}"));
            self.stats.promoted_by_k3s += 1;
            self.kubernetes.watched = None;
            return;
        }
        let host = (0..self.nodes.len()).find(|h| self.etcd.serves_remote(*h) && self.etcd.member_id(*h) == Some(learner.id));
        let applied = host.and_then(|h| self.etcd.servers[h].data.as_ref()).map_or(0, |d| d.applied);
        match self.kubernetes.watched {
            Some((id, before, since)) if id == learner.id && applied <= before => {
                if self.now.since(since) > STALLED && self.etcd.remove(leader, learner.id, self.now, &self.network).is_ok() {
                    self.tell(leader, || format!("its k3s removes {learner}, which makes no progress"));
                }
            }
            _ => self.kubernetes.watched = Some((learner.id, applied, self.now)),
        }
    }

    fn remove_as_asked(&mut self, leader: usize) {
        let Some(cluster) = self.etcd.servers[leader].data.as_ref().map(|d| d.cluster) else { return };
        let nodes = self.kubernetes.nodes.get(&cluster).into_iter().flatten();
        let due = nodes.filter(|(_, node)| node.remove_at.is_some_and(|at| at <= self.now)).map(|(id, _)| id.clone());
        for id in due.collect::<Vec<_>>() {
            self.remove_for(leader, cluster, &id);
        }
    }

    fn remove_for(&mut self, leader: usize, cluster: EtcdClusterId, id: &InstanceId) {
        let list = self.etcd.servers[leader].data.as_ref().map(|d| d.members.clone()).unwrap_or_default();
        let member = list.iter().find(|m| m.name.as_ref() == Some(id)).map(|m| m.id);
        let out = member.is_none_or(|member| self.etcd.remove(leader, member, self.now, &self.network).is_ok());
        let again = self.now + AGAIN;
        let Some(node) = self.registered_mut(cluster, id) else { return };
        (node.removed, node.remove_at) = (out, (!out).then_some(again));
        if out && node.deleting {
            self.kubernetes.nodes.get_mut(&cluster).map(|nodes| nodes.remove(id));
        }
        if let Some(member) = member.filter(|_| out) {
            self.tell(leader, || format!("its k3s removes member {member} of {id}, as its Node asks"));
            self.stats.left_by_annotation += 1;
            self.check_removed_by_k3s(leader, id, member);
        }
    }
}
