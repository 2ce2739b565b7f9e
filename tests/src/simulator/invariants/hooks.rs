//! I5: each of our lifecycle actions is completed once, after the work that it guards, and in time.

use std::time::Duration;

use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;

use crate::region::Transition;
use crate::simulator::node::Imds;
use crate::simulator::world::World;

/// A deadline nearer than this, besides the policy's margin, excuses a leave that was not finished.
const NEAR: Duration = Duration::from_secs(4);

impl World {
    /// A launch was completed with CONTINUE: the node must vote, or be a spare of a full cluster.
    pub(crate) fn check_launched(&mut self, instance: &InstanceId) {
        let Some(n) = self.node_of(instance) else { return };
        let Some(list) = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()) else { return };
        let member = self.etcd.servers[n].data.as_ref().filter(|d| d.cluster == list.cluster).map(|d| d.member);
        let votes = member.and_then(|id| list.entry(id)).is_some_and(|m| !m.learner);
        if votes {
            return self.check_node_of_launched(n);
        }
        // A voter may have left between the look and the call.
        // A server relies on what another one says, which may be as old as any reading.
        let hearsay = if self.has_servers() { self.policy.stale_after } else { Duration::ZERO };
        let full = self.checks.full_at.is_some_and(|at| self.now.since(at) <= NEAR + hearsay);
        if full || list.voters().count() >= self.policy.max_voters {
            self.stats.spares += 1;
            return;
        }
        self.violate("I5", format!("the launch of {instance} was completed, and it neither votes nor is it a spare"));
    }

    /// A termination was completed: the member must be out, unless there was no time left or no way to leave.
    pub(crate) fn check_let_go(&mut self, instance: &InstanceId, deadline: Option<Timestamp>) {
        let Some(list) = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()) else { return };
        let entry = list.voters().find(|m| m.name.as_ref() == Some(instance));
        // A replaced root volume remembers nothing: the node learns of its membership from the charter alone, and without a charter not at all.
        let knows_nothing = self.node_of(instance).is_some_and(|n| self.nodes[n].wiped) && self.store.highest().is_none();
        let margin = self.policy.leave_margin + NEAR;
        let hurried = [deadline, self.taken_at(instance)].into_iter().flatten().any(|d| self.now + margin >= d);
        // A leave with a drain is long: where every fifth answer is lost, all heartbeats of one timeout may seem to be.
        let hurried = hurried || (self.has_servers() && self.weather.lost_answers >= 100);
        if let Some(member) = entry.filter(|_| !hurried && !knows_nothing && list.voters().count() > 1) {
            let text = format!("the termination of {instance} was completed, and it still votes as member {}", member.id);
            self.violate("I5", text);
        }
    }

    /// When EC2 takes its machine, as announced.
    fn taken_at(&self, instance: &InstanceId) -> Option<Timestamp> {
        let said = self.region.metadata(instance)?;
        // The node does not learn in time of what is canceled at the last moment.
        let just_canceled = |at: Timestamp| self.now >= at && self.now.since(at) < NEAR;
        let events = said
            .maintenance
            .iter()
            .filter(|event| event.state == "active" || just_canceled(event.not_before))
            .map(|event| event.not_before);
        said.spot.iter().map(|spot| spot.time).chain(events).min()
    }

    /// Looks at the actions that have ended since: none may time out under a node that could have prevented it.
    pub(crate) fn check_actions(&mut self) {
        let all = self.region.actions().len();
        self.checks.actions_open.extend(self.checks.actions_seen..all);
        self.checks.actions_seen = all;
        let ended: Vec<usize> = self.checks.actions_open.iter().copied().filter(|i| !self.region.actions()[*i].open()).collect();
        self.checks.actions_open.retain(|i| !ended.contains(i));
        for index in ended {
            self.check_ended(index);
        }
    }

    fn check_ended(&mut self, index: usize) {
        let action = &self.region.actions()[index];
        if !action.timed_out() {
            return;
        }
        self.stats.timed_out += 1;
        let (instance, hook, capped) = (action.instance.clone(), action.hook.clone(), self.now >= action.cap);
        let timeout = match action.transition {
            Transition::Launching => self.schedule.launch_timeout,
            Transition::Terminating => self.schedule.terminate_timeout,
        };
        let Some(n) = self.node_of(&instance) else { return };
        let node = &self.nodes[n];
        let reaches_aws = !node.aws_down && node.imds == Imds::Well;
        let told_the_truth = self.views.is_empty();
        let able = node.is_awake() && reaches_aws && told_the_truth && self.now.since(node.able_since) > timeout + Duration::from_secs(5);
        if able && !capped && self.weather.lost_calls < 100 {
            self.violate("I5", format!("hook {hook} of {instance} timed out, although its agent was able to work all the time"));
        }
    }
}
