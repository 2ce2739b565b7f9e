//! The AWS control plane, asked only what is due.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use quorate_core::cadence::Query;
use quorate_core::ids::InstanceId;
use quorate_core::observation::{Ec2Answer, Ec2State, Group, Hook, HookRef, LifecycleState, ListedInstance, Transition};
use quorate_core::reading::Reading;

use super::super::Agent;
use super::super::readings::age;
use super::age_all;
use crate::region;
use crate::simulator::world::{CLUSTER, CLUSTER_TAG, World};

impl World {
    pub(super) fn ask_aws(&mut self, n: usize, agent: &mut Agent) -> bool {
        let (now, limit) = (self.now, self.policy.cloud_fresh);
        let cloud = &mut agent.seen.cloud;
        age(&mut cloud.groups, now, limit);
        age(&mut cloud.listed, now, limit);
        age(&mut cloud.tagged, now, limit);
        age(&mut cloud.hooks, now, limit);
        age(&mut cloud.own_state, now, limit);
        age_all(&mut cloud.asked, now, limit);
        age_all(&mut cloud.places, now, limit);
        let mut slow = false;
        for query in agent.engine.due(&agent.seen, now) {
            agent.engine.asked(&query, now);
            self.stats.aws_calls += 1;
            let answered = !self.nodes[n].aws_down && !self.misses();
            self.tell(n, || format!("asks AWS for {query:?}{}", if answered { "" } else { ", in vain" }));
            if answered {
                self.ask(n, agent, &query);
            }
            slow |= !answered;
        }
        slow
    }

    fn ask(&mut self, n: usize, agent: &mut Agent, query: &Query) {
        match query {
            Query::Groups => self.ask_groups(n, agent),
            Query::Tagged => self.ask_tagged(n, agent),
            Query::Instances(ids) => self.ask_instances(n, agent, ids),
            Query::Places(ids) => self.ask_places(n, agent, ids),
            Query::Hooks => self.ask_hooks(n, agent),
            Query::OwnState => self.ask_own_state(n, agent),
        }
    }

    fn ask_groups(&mut self, n: usize, agent: &mut Agent) {
        let now = self.now;
        let views = self.region.api(&self.nodes[n].caller, now).describe_groups(&[], &[]);
        let mut listed = BTreeMap::new();
        let mut groups = Vec::with_capacity(views.len());
        for view in views {
            let retains_on_abandon = self.region.group(&view.name).is_some_and(|g| g.retain_on_abandon);
            for member in view.members {
                let state = LifecycleState::parse(member.lifecycle.as_str());
                listed.insert(member.id, ListedInstance { group: view.name.clone(), state });
            }
            // No schedule suspends a process.
            groups.push(Group { name: view.name, desired: view.sizes.desired, retains_on_abandon, suspended: BTreeSet::new() });
        }
        agent.seen.cloud.groups = Reading::Fresh(groups, now);
        agent.seen.cloud.listed = Reading::Fresh(listed, now);
    }

    /// Every instance with the cluster's tag that has not ended, on any list.
    fn ask_tagged(&mut self, n: usize, agent: &mut Agent) {
        let now = self.now;
        let bears = region::InstanceFilter::Tag(CLUSTER_TAG.to_owned(), vec![CLUSTER.to_owned()]);
        let Ok(views) = self.region.api(&self.nodes[n].caller, now).describe_instances(&[], &[bears]) else { return };
        let there = views.into_iter().filter(|v| Ec2State::parse(v.state.as_str()) != Ec2State::Terminated);
        agent.seen.cloud.tagged = Reading::Fresh(there.map(|v| v.id).collect(), now);
    }

    /// By id; when EC2 does not know some of them, the others are asked for again without those.
    fn ask_instances(&mut self, n: usize, agent: &mut Agent, ids: &[InstanceId]) {
        let now = self.now;
        let mut api = self.region.api(&self.nodes[n].caller, now);
        let views = match api.describe_instances(ids, &[]) {
            Ok(views) => views,
            Err(_) => ids.iter().filter_map(|id| api.describe_instances(std::slice::from_ref(id), &[]).ok()).flatten().collect(),
        };
        for id in ids {
            let answer = views.iter().find(|v| v.id == *id).map_or(Ec2Answer::NotFound, known);
            agent.seen.cloud.asked.insert(id.clone(), Reading::Fresh(answer, now));
        }
    }

    fn ask_places(&mut self, n: usize, agent: &mut Agent, ids: &[InstanceId]) {
        let now = self.now;
        let views = self.region.api(&self.nodes[n].caller, now).describe_auto_scaling_instances(ids);
        for id in ids {
            let place = views.iter().find(|v| v.id == *id).map(|v| LifecycleState::parse(v.lifecycle.as_str()));
            agent.seen.cloud.places.insert(id.clone(), Reading::Fresh(place, now));
        }
    }

    fn ask_hooks(&mut self, n: usize, agent: &mut Agent) {
        let now = self.now;
        let names: Vec<_> = agent.seen.cloud.groups.last().into_iter().flatten().map(|g| g.name.clone()).collect();
        let mut hooks = Vec::new();
        for group in names {
            let Ok(specs) = self.region.api(&self.nodes[n].caller, now).describe_hooks(&group, &[]) else { return };
            let ours = specs.into_iter().filter(|spec| spec.name.as_str().starts_with("quorate-"));
            hooks.extend(ours.map(|spec| Hook {
                transition: match spec.transition {
                    region::Transition::Launching => Transition::Launching,
                    region::Transition::Terminating => Transition::Terminating,
                },
                heartbeat_timeout: spec.heartbeat_timeout,
                global_timeout: spec.global_timeout(),
                hook: HookRef { group: group.clone(), name: spec.name },
            }));
        }
        agent.seen.cloud.hooks = Reading::Fresh(hooks, now);
    }

    fn ask_own_state(&mut self, n: usize, agent: &mut Agent) {
        let now = self.now;
        let id = self.nodes[n].me.instance.clone();
        let views = self.region.api(&self.nodes[n].caller, now).describe_auto_scaling_instances(&[id]);
        if let Some(view) = views.first() {
            agent.seen.cloud.own_state = Reading::Fresh(LifecycleState::parse(view.lifecycle.as_str()), now);
        }
    }
}

fn known(view: &region::InstanceView) -> Ec2Answer {
    Ec2Answer::Known {
        state: Ec2State::parse(view.state.as_str()),
        address: view.address.map(IpAddr::V4).or(view.ipv6.map(IpAddr::V6)),
        launched: Some(view.launched_at),
    }
}
