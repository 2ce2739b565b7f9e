//! Steps on a Kubernetes node: through an API server, or in this machine's own files.

use std::time::Duration;

use quorate_core::drain::Limits;
use quorate_core::ids::InstanceId;
use quorate_core::plan::{NodeStep, Outcome};

use super::super::Agent;
use super::super::observe::Drain;
use super::{Fate, no_answer};
use crate::simulator::world::World;

impl World {
    /// A drain is a task of the agent's, beside its loop.
    pub(crate) fn begin_drain(&mut self, agent: &mut Agent, limits: &Limits) -> Outcome {
        match &mut agent.drain {
            Some(drain) if drain.over.is_none() => drain.end = limits.end,
            _ => {
                let lasts = if self.rng.chance(150) { 600_000 } else { self.rng.between(500, 20_000) };
                let pods_gone = self.now + Duration::from_millis(lasts);
                agent.drain = Some(Drain { pods_gone, end: limits.end, answered: self.now, over: None });
                self.stats.drains += 1;
            }
        }
        Outcome::Done
    }

    pub(super) fn node_step(&mut self, n: usize, step: &NodeStep) -> Outcome {
        match step {
            NodeStep::Drain(_) => Outcome::Done,
            NodeStep::PointAt { server } => match &mut self.nodes[n].k3s.config {
                Some(config) => {
                    config.server = Some(*server);
                    Outcome::Done
                }
                None => self.refused("there is no configuration"),
            },
            NodeStep::Cordon | NodeStep::Uncordon | NodeStep::AnnotateRemoval { .. } | NodeStep::Delete { .. } => self.through_api(n, step),
        }
    }

    fn through_api(&mut self, n: usize, step: &NodeStep) -> Outcome {
        let fate = self.fate();
        let Some(cluster) = self.api(n).filter(|_| fate != Fate::LostBefore) else { return no_answer() };
        let me = self.nodes[n].me.instance.clone();
        let at = self.now + Duration::from_millis(self.rng.between(500, 6000));
        let subject = if let NodeStep::Delete { instance, .. } = step { instance } else { &me };
        let Some(node) = self.registered_mut(cluster, subject) else { return self.refused("nodes not found") };
        match step {
            NodeStep::Delete { uid, .. } if node.uid != *uid => return self.refused("the UID in the precondition does not match"),
            NodeStep::Delete { instance, .. } => self.count_deletion(n, cluster, instance),
            NodeStep::AnnotateRemoval { .. } => node.ask_for_removal(at),
            step => {
                node.cordoned = *step == NodeStep::Cordon;
                self.nodes[n].k3s.drained = false;
            }
        }
        if fate == Fate::LostAfter { no_answer() } else { Outcome::Done }
    }

    fn count_deletion(&mut self, n: usize, cluster: quorate_core::ids::EtcdClusterId, instance: &InstanceId) {
        let own = *instance == self.nodes[n].me.instance;
        *(if own { &mut self.stats.own_nodes_deleted } else { &mut self.stats.dead_nodes_deleted }) += 1;
        self.check_node_deletion(n, instance);
        self.delete_node(cluster, instance);
    }
}
