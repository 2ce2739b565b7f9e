//! I3 and I8: once the faults are over, everything comes to rest as it should, or a report says why not.

use std::collections::BTreeSet;

use quorate_core::charter::State;
use quorate_core::ids::InstanceId;
use quorate_core::observation::Member;
use quorate_core::report::Phase;
use quorate_core::situation::Situation;

use crate::region::LifecycleState;
use crate::simulator::node::Node;
use crate::simulator::world::World;

impl World {
    /// Why the world is not at rest; `None` when it is.
    pub(crate) fn unsettled(&self) -> Option<String> {
        if self.nobody_is_wanted() {
            return self.groups_unsettled();
        }
        self.groups_unsettled()
            .or_else(|| self.members_unsettled())
            .or_else(|| self.charter_unsettled())
            .or_else(|| self.nodes_unsettled())
            .or_else(|| self.agents_unsettled())
            .or_else(|| self.snapshots_unsettled())
    }

    fn groups_unsettled(&self) -> Option<String> {
        for group in self.region.groups() {
            let members: Vec<_> = self.region.members(&group.name).collect();
            if members.len() != group.sizes.desired as usize {
                return Some(format!("{} has {} instances of {}", group.name, members.len(), group.sizes.desired));
            }
            if let Some(other) = members.iter().find(|i| i.lifecycle != LifecycleState::InService) {
                return Some(format!("{} is {}", other.id, other.lifecycle));
            }
            if group.refreshes.last().is_some_and(|r| r.status.active()) {
                return Some(format!("{} is being refreshed", group.name));
            }
        }
        (!self.checks.actions_open.is_empty()).then(|| "a lifecycle action is open".to_owned())
    }

    /// Alive, in its group, and wanted as a voter.
    pub(crate) fn belongs(&self, node: &Node) -> bool {
        node.powered && !node.ordered_out && self.is_in_group(node)
    }

    fn is_in_group(&self, node: &Node) -> bool {
        self.region.instance(&node.me.instance).is_some_and(|i| i.member)
    }

    /// The groups are empty, and are meant to be.
    fn nobody_is_wanted(&self) -> bool {
        self.region.groups().iter().all(|g| g.sizes.desired == 0) && !self.nodes.iter().any(|n| self.belongs(n))
    }

    fn members_unsettled(&self) -> Option<String> {
        let Some(list) = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()) else {
            return Some("no established cluster has quorum".to_owned());
        };
        if let Some(learner) = list.members.iter().find(|m| m.learner) {
            return Some(format!("{learner} is still a learner"));
        }
        let voters: BTreeSet<&InstanceId> = list.members.iter().filter_map(|m| m.name.as_ref()).collect();
        // Nobody joins without an agent; who votes already stays.
        let counts = |n: &&Node| if n.agent_gone { n.powered && voters.contains(&n.me.instance) } else { self.belongs(n) };
        let live: BTreeSet<&InstanceId> = self.nodes.iter().filter(counts).map(|n| &n.me.instance).collect();
        if voters.len() != list.members.len() {
            return Some("a member never started".to_owned());
        }
        if let Some(stale) = voters.iter().find(|v| !live.contains(*v)) {
            return Some(format!("{stale} is listed, but does not live or was ordered to leave"));
        }
        if voters.len() < live.len().min(self.policy.max_voters) {
            return Some(format!("{} of {} live instances vote", voters.len(), live.len()));
        }
        let attended = |m: &&Member| !self.nodes.iter().any(|n| n.agent_gone && m.name.as_ref() == Some(&n.me.instance));
        let silent = list
            .members
            .iter()
            .filter(attended)
            .find(|m| self.etcd.host_of(list.cluster, m.id).is_none_or(|h| !self.etcd.serves_remote(h)));
        silent.map(|m| format!("voter {m} does not serve"))
    }

    fn charter_unsettled(&self) -> Option<String> {
        let list = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref())?;
        let Some(record) = self.store.highest() else { return Some("the charter is gone".to_owned()) };
        let mut listed: Vec<_> = record.voters.iter().map(|v| v.member).collect();
        let mut voters: Vec<_> = list.members.iter().map(|m| m.id).collect();
        listed.sort_unstable();
        voters.sort_unstable();
        let right = record.state == State::Established && record.etcd_cluster == Some(list.cluster) && listed == voters;
        (!right).then(|| format!("the charter's {record} is not what etcd says"))
    }

    fn agents_unsettled(&self) -> Option<String> {
        if let Some(voter) = self.unattended_voter().filter(|_| self.somebody_votes() && !self.somebody_asks()) {
            return Some(format!("nobody calls an operator, although the agent of voter {voter} is gone"));
        }
        let busy = self.nodes.iter().filter(|n| n.powered && self.is_in_group(n) && !n.agent_gone).find_map(|n| {
            let report = n.agent.as_ref().and_then(|a| a.verdict.as_ref());
            let rests = report.is_some_and(|r| match r.phase {
                Phase::Voter | Phase::Spare => !r.needs_operator || self.agents_are_gone(),
                Phase::Left => n.ordered_out,
                _ => false,
            });
            (!rests).then(|| match report {
                Some(report) => format!("{} says: {report}", n.me.instance),
                None => format!("{} has no agent", n.me.instance),
            })
        });
        busy.or_else(|| self.etcd.lock_is_held(self.now).then(|| "the lock is held".to_owned()))
    }

    /// The time is up, and nothing came to rest.
    pub(crate) fn check_end(&mut self) {
        let Some(why) = self.unsettled() else { return };
        self.stats.quorum_lost += u64::from(self.checks.quorum_lost.is_some());
        self.stats.total_losses += u64::from(self.checks.total_loss);
        let reports: Vec<String> = self.reports();
        let asks = self.somebody_asks();
        let nobody_is_left = !self.nodes.iter().any(|n| self.belongs(n) && !n.agent_gone);
        if nobody_is_left || (asks && self.may_ask_for_an_operator()) {
            // An agent that has ended needs an operator, whatever else is awaited.
            if let Some(awaited) = self.awaits_the_dead().filter(|_| !self.agents_are_gone()) {
                return self.violate("I8 (asks for an operator without need)", awaited);
            }
            self.stats.halted += 1;
            if self.checks.quorum_lost.is_some() && self.survivors_would_do() {
                self.stats.halted_though_enough_survive += 1;
                self.tell_all(|| "an operator is asked for, although the survivors meet every quorum".into());
            }
            return;
        }
        let reports = reports.join(" | ");
        let invariant = if asks { "I8 (asks for an operator without need)" } else { "I8" };
        self.violate(invariant, format!("did not settle: {why}. {reports}"));
    }

    fn somebody_asks(&self) -> bool {
        self.nodes.iter().any(|n| n.powered && n.agent.as_ref().and_then(|a| a.verdict.as_ref()).is_some_and(|r| r.needs_operator))
    }

    /// There is an agent that could call one.
    fn somebody_votes(&self) -> bool {
        let phase = |n: &Node| n.agent.as_ref().and_then(|a| a.verdict.as_ref()).map(|report| report.phase);
        self.nodes.iter().any(|n| n.powered && phase(n) == Some(Phase::Voter))
    }

    /// An instance is there whose agent has ended for good.
    fn agents_are_gone(&self) -> bool {
        self.nodes.iter().any(|n| n.powered && n.agent_gone)
    }

    /// That instance's agent is one of them.
    pub(crate) fn has_no_agent(&self, id: &InstanceId) -> bool {
        self.nodes.iter().any(|n| n.agent_gone && n.me.instance == *id)
    }

    /// One of those that votes.
    fn unattended_voter(&self) -> Option<&InstanceId> {
        let list = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref())?;
        let mut gone = self.nodes.iter().filter(|n| n.powered && n.agent_gone).map(|n| &n.me.instance);
        gone.find(|id| list.voters().any(|m| m.name.as_ref() == Some(*id)))
    }

    /// An agent that asks for an operator, without a quorum to rely on, mistakes an ended instance for a live one. EC2 says that it has ended, so no operator
    /// is needed for that.
    fn awaits_the_dead(&self) -> Option<String> {
        self.nodes.iter().filter(|n| n.powered).find_map(|node| {
            let agent = node.agent.as_ref().filter(|a| a.verdict.as_ref().is_some_and(|r| r.needs_operator))?;
            let s = Situation::new(&agent.seen, agent.memory(), &self.policy, self.now);
            let has_ended = |id: &InstanceId| self.node_of(id).is_some_and(|n| !self.nodes[n].powered);
            let awaited = s.others().into_iter().find(|id| s.membership().is_none() && !s.is_gone(id) && has_ended(id))?;
            Some(format!("{} does not know that {awaited} has ended: {}", node.me.instance, agent.verdict.as_ref()?))
        })
    }

    /// What only a human can mend: lost data, lost records, a founder detached alive, or an order that cannot be carried out.
    fn may_ask_for_an_operator(&self) -> bool {
        let stuck = self.checks.quorum_lost.is_some() || !self.somebody_could_lead();
        let founder = self.store.highest().and_then(|r| r.founder());
        let founder_taken_out = self.nodes.iter().any(|n| n.powered && !self.is_in_group(n) && Some(&n.me.instance) == founder);
        let ordered =
            |n: &Node| n.powered && n.ordered_out && n.agent.as_ref().and_then(|a| a.verdict.as_ref()).is_some_and(|r| r.needs_operator);
        stuck
            || self.agents_are_gone()
            || !self.by_hand.is_empty()
            || founder_taken_out
            || !self.checks.records_lost.is_empty()
            || self.nodes.iter().any(ordered)
    }

    fn reports(&self) -> Vec<String> {
        let report = |n: &Node| {
            let said = n.agent.as_ref().and_then(|a| a.verdict.as_ref()).map_or_else(|| "no agent".to_owned(), ToString::to_string);
            format!("{}: {said}", n.me.instance)
        };
        self.nodes.iter().filter(|n| n.powered).map(report).collect()
    }
}
