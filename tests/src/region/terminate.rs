//! The way of an instance out of its group.

use super::timers::MemberChange;
use super::{Activity, Cause, Ec2State, Health, LifecycleState, Region, Target, Transition};

impl Region {
    /// The group lets go of an instance. It stops counting at once; its machine runs on until its hooks are done.
    pub(super) fn begin_termination(&mut self, slot: usize, cause: Cause) {
        if self.instances[slot].lifecycle.leaving() || !self.instances[slot].member {
            return;
        }
        if self.instances[slot].lifecycle.warm() {
            return self.end_spare(slot, cause);
        }
        self.supersede_actions(slot);
        self.set_lifecycle(slot, LifecycleState::Terminating);
        let (group, id) = (self.instances[slot].group, self.instances[slot].id.clone());
        let activity = Activity { at: self.now, instance: Some(id), launch: false, cause };
        self.groups[group].activities.push(activity);
        let delays = self.config.delays;
        self.member_after(delays.target.min(delays.deregistration), slot, MemberChange::TargetTerminated);
        self.member_after(delays.deregistration, slot, MemberChange::Deregistered);
    }

    /// The instance learns it from IMDS before its hooks open: it may begin to drain, but nothing can be completed yet.
    pub(super) fn target_terminated(&mut self, slot: usize) {
        self.instances[slot].metadata.target = Some(Target::Terminated);
    }

    /// The hooks of a dead instance open too: a survivor may complete them by its id.
    pub(super) fn deregistered(&mut self, slot: usize) {
        match self.instances[slot].lifecycle {
            LifecycleState::WarmedPending => self.returned(slot),
            LifecycleState::WarmedTerminating => self.spare_deregistered(slot),
            LifecycleState::ReplacingRootVolume => self.root_volume_deregistered(slot),
            _ => self.terminating_deregistered(slot),
        }
    }

    fn terminating_deregistered(&mut self, slot: usize) {
        if !self.instances[slot].skip_hooks && self.open_actions(slot, Transition::Terminating) {
            self.set_lifecycle(slot, LifecycleState::TerminatingWait);
        } else {
            self.finish(slot);
        }
    }

    /// Nothing holds it back any longer.
    pub(super) fn finish(&mut self, slot: usize) {
        self.instances[slot].finishing = true;
        match self.instances[slot].ec2 {
            Ec2State::Terminated => self.leave_group(slot),
            Ec2State::ShuttingDown => {}
            _ => self.shut_down(slot),
        }
    }

    /// An abandoned terminating hook keeps the machine where the group's policy says so, and where there is one to keep.
    pub(super) fn abandon_termination(&mut self, slot: usize) {
        let group = self.instances[slot].group;
        self.supersede_actions(slot);
        if self.groups[group].retain_on_abandon && self.instances[slot].alive() {
            self.set_lifecycle(slot, LifecycleState::TerminatingRetained);
            self.rebalance(group);
        } else {
            self.terminating_proceed(slot);
        }
    }

    pub(super) fn terminating_proceed(&mut self, slot: usize) {
        self.set_lifecycle(slot, LifecycleState::TerminatingProceed);
        self.member_after(self.config.delays.proceed, slot, MemberChange::Proceed);
    }

    /// The instance is terminated and replaced.
    pub(super) fn abandon_launch(&mut self, slot: usize) {
        self.supersede_actions(slot);
        self.instances[slot].skip_hooks = !self.config.hooks_after_abandoned_launch;
        self.begin_termination(slot, Cause::LaunchAbandoned);
        self.rebalance(self.instances[slot].group);
    }

    pub(super) fn leave_group(&mut self, slot: usize) {
        let warm = self.instances[slot].lifecycle.warm();
        self.set_lifecycle(slot, if warm { LifecycleState::WarmedTerminated } else { LifecycleState::Terminated });
        self.member_after(self.config.delays.departure, slot, MemberChange::Departed);
    }

    pub(super) fn departed(&mut self, slot: usize) {
        self.drop_member(slot);
        self.rebalance(self.instances[slot].group);
    }

    pub(super) fn drop_member(&mut self, slot: usize) {
        let (now, group) = (self.now, self.instances[slot].group);
        self.groups[group].members.retain(|member| *member != slot);
        let instance = &mut self.instances[slot];
        instance.member = false;
        instance.record(now);
    }

    pub(super) fn mark_unhealthy(&mut self, slot: usize) {
        let now = self.now;
        let instance = &mut self.instances[slot];
        instance.health = Health::Unhealthy;
        instance.record(now);
    }
}
