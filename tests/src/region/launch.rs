//! The way of an instance into service.

use quorate_core::ids::InstanceId;

use super::instance::Metadata;
use super::timers::{MachineChange, MemberChange, Timer};
use super::{Activity, Cause, Ec2State, Event, Health, Instance, LifecycleState, Region, Target, Transition};

impl Region {
    /// Launches one instance into the group (`Pending`) or its warm pool (`Warmed:Pending`); false when no launch succeeds.
    pub(super) fn launch(&mut self, group: usize, into: LifecycleState) -> bool {
        let short = self.groups[group].capacity_short;
        let Some(address) = (if short { None } else { self.addresses.take() }) else {
            self.note_failed_launch(group);
            return false;
        };
        let id = self.identities.instance();
        let slot = self.instances.len();
        let instance = self.new_instance(group, id.clone(), address, into);
        self.instances.push(instance);
        self.by_id.insert(id.clone(), slot);
        let cause = if self.groups[group].surge > 0 { Cause::Refresh } else { Cause::Capacity };
        let activity = Activity { at: self.now, instance: Some(id), launch: true, cause };
        self.groups[group].members.push(slot);
        self.groups[group].activities.push(activity);
        self.machine_after(self.config.delays.boot, slot, MachineChange::Boot);
        true
    }

    /// One failure is noted per shortage, not one per attempt.
    fn note_failed_launch(&mut self, group: usize) {
        let at = self.now;
        let activities = &mut self.groups[group].activities;
        if activities.last().is_none_or(|last| last.instance.is_some()) {
            activities.push(Activity { at, instance: None, launch: true, cause: Cause::Capacity });
        }
    }

    fn new_instance(&self, group: usize, id: InstanceId, address: std::net::IpAddr, into: LifecycleState) -> Instance {
        let home = &self.groups[group];
        let mut instance = Instance {
            id,
            group,
            member: true,
            launched_at: self.now,
            address,
            second_address: self.config.second_addresses.map(|first| (u128::from(first) + self.instances.len() as u128).into()),
            zone: self.emptiest_zone(group),
            tags: home.instance_tags.clone(),
            ec2: Ec2State::Pending,
            lifecycle: into,
            health: Health::Healthy,
            powered: false,
            terminated_at: None,
            metadata: Metadata { tags: home.tags_in_metadata, ..Metadata::default() },
            hidden: false,
            capacity: None,
            actions: Vec::new(),
            waiting_since: self.now,
            finishing: false,
            skip_hooks: false,
            hibernates: false,
            machine_epoch: 0,
            lifecycle_epoch: 0,
            history: Vec::with_capacity(12),
        };
        instance.record(self.now);
        instance
    }

    fn emptiest_zone(&self, group: usize) -> std::sync::Arc<str> {
        let home = &self.groups[group];
        let crowd = |zone: &std::sync::Arc<str>| {
            home.members
                .iter()
                .filter(|slot| {
                    let instance = &self.instances[**slot];
                    instance.lifecycle.counts() && instance.zone == *zone
                })
                .count()
        };
        home.zones.iter().min_by_key(|zone| crowd(zone)).cloned().unwrap_or_default()
    }

    pub(super) fn boot(&mut self, slot: usize) {
        self.instances[slot].powered = true;
        self.set_ec2(slot, Ec2State::Running);
        let id = self.instances[slot].id.clone();
        let woken = std::mem::take(&mut self.instances[slot].hibernates);
        self.events.push(if woken { Event::Wake(id) } else { Event::Launch(id) });
        if matches!(self.instances[slot].lifecycle, LifecycleState::Pending | LifecycleState::WarmedPending) {
            self.member_after(self.config.delays.prepare, slot, MemberChange::Prepared);
        }
    }

    /// From here on IMDS says `InService`, although the instance may still wait a long time for its hooks.
    pub(super) fn prepared(&mut self, slot: usize) {
        if self.instances[slot].lifecycle == LifecycleState::WarmedPending {
            return self.warmed_prepared(slot);
        }
        self.instances[slot].metadata.target = Some(Target::InService);
        if self.open_actions(slot, Transition::Launching) {
            self.set_lifecycle(slot, LifecycleState::PendingWait);
        } else {
            self.in_service(slot);
        }
    }

    pub(super) fn in_service(&mut self, slot: usize) {
        self.set_lifecycle(slot, LifecycleState::InService);
        self.rebalance(self.instances[slot].group);
    }

    /// A `:Proceed` state is over.
    pub(super) fn proceed(&mut self, slot: usize) {
        match self.instances[slot].lifecycle {
            LifecycleState::PendingProceed | LifecycleState::RootVolumeReplaced => self.in_service(slot),
            LifecycleState::WarmedPendingProceed => self.enter_pool(slot),
            LifecycleState::TerminatingProceed | LifecycleState::WarmedTerminatingProceed => self.finish(slot),
            LifecycleState::ReplacingRootVolumeProceed => self.replace_root_volume(slot),
            _ => {}
        }
    }

    pub(super) fn set_lifecycle(&mut self, slot: usize, state: LifecycleState) {
        let now = self.now;
        let instance = &mut self.instances[slot];
        instance.lifecycle = state;
        instance.lifecycle_epoch += 1;
        instance.record(now);
    }

    pub(super) fn set_ec2(&mut self, slot: usize, state: Ec2State) {
        let now = self.now;
        let instance = &mut self.instances[slot];
        instance.ec2 = state;
        instance.machine_epoch += 1;
        instance.record(now);
    }

    pub(super) fn machine_after(&mut self, delay: std::time::Duration, slot: usize, change: MachineChange) {
        let epoch = self.instances[slot].machine_epoch;
        self.after(delay, Timer::Machine { slot, epoch, change });
    }

    pub(super) fn member_after(&mut self, delay: std::time::Duration, slot: usize, change: MemberChange) {
        let epoch = self.instances[slot].lifecycle_epoch;
        self.after(delay, Timer::Member { slot, epoch, change });
    }
}
