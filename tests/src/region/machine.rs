//! The machine of an instance: shut down, killed, stopped, rebooted; and when the group finds out.

use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;

use super::timers::{MachineChange, Timer};
use super::{Cause, Ec2State, Event, Health, LifecycleState, Process, Region};

impl Region {
    /// EC2 presses the power button and cuts the power a while later.
    pub(super) fn shut_down(&mut self, slot: usize) {
        let grace = if self.instances[slot].powered { self.config.delays.shutdown } else { std::time::Duration::ZERO };
        self.set_ec2(slot, Ec2State::ShuttingDown);
        if self.instances[slot].powered {
            self.events.push(Event::Shutdown(self.instances[slot].id.clone()));
        }
        self.machine_after(grace, slot, MachineChange::PowerOff);
    }

    /// The same without the power button: the power is cut at once.
    pub(super) fn cut_short(&mut self, slot: usize) {
        self.set_ec2(slot, Ec2State::ShuttingDown);
        self.power_off(slot);
    }

    /// The machine and its disks are gone, and its address is free for another.
    pub(super) fn power_off(&mut self, slot: usize) {
        self.cut_power(slot);
        self.set_ec2(slot, Ec2State::Terminated);
        self.instances[slot].terminated_at = Some(self.now);
        self.addresses.free(self.instances[slot].address);
        if self.instances[slot].finishing {
            self.leave_group(slot);
        }
    }

    fn cut_power(&mut self, slot: usize) {
        let instance = &mut self.instances[slot];
        if std::mem::take(&mut instance.powered) {
            self.events.push(Event::PowerOff(instance.id.clone()));
        }
    }

    /// EC2 finds that the hardware is gone.
    pub(super) fn lost(&mut self, slot: usize) {
        self.power_off(slot);
        self.after(self.config.delays.health, Timer::Health { slot });
    }

    /// The group looks at what EC2 and the instance say, and replaces what is not well.
    ///
    /// Instances in standby are not health checked.
    pub(super) fn look_at_health(&mut self, slot: usize) {
        if self.instances[slot].lifecycle.warm() {
            return self.look_at_spare(slot);
        }
        let instance = &self.instances[slot];
        let well = instance.alive() && instance.health == Health::Healthy;
        let (group, kept) = (instance.group, instance.lifecycle == LifecycleState::Standby);
        if well || kept {
            return;
        }
        self.mark_unhealthy(slot);
        if self.instances[slot].lifecycle == LifecycleState::TerminatingRetained {
            // A retained machine that is gone is nothing to keep.
            self.terminating_proceed(slot);
        } else if !self.groups[group].is_suspended(Process::ReplaceUnhealthy) {
            self.begin_termination(slot, Cause::Unhealthy);
            self.rebalance(group);
        }
    }

    /// The hardware is gone at once. EC2 finds out later, the group later still.
    pub fn hard_kill(&mut self, id: &InstanceId, now: Timestamp) {
        self.settle(now);
        let Some(&slot) = self.by_id.get(id) else { return };
        self.cut_power(slot);
        match self.instances[slot].ec2 {
            Ec2State::Pending | Ec2State::Running | Ec2State::Stopping => {
                self.instances[slot].machine_epoch += 1;
                self.machine_after(self.config.delays.status, slot, MachineChange::Lost);
            }
            Ec2State::ShuttingDown | Ec2State::Stopped | Ec2State::Terminated => {}
        }
    }

    /// The operating system switched the machine off on its own: the end of a shutdown, or an unexpected stop.
    ///
    /// A stopped instance of a group is unhealthy, so it is replaced and terminated.
    pub fn guest_poweroff(&mut self, id: &InstanceId, now: Timestamp) {
        self.settle(now);
        let Some(&slot) = self.by_id.get(id) else { return };
        if !self.instances[slot].powered {
            return;
        }
        match self.instances[slot].ec2 {
            Ec2State::ShuttingDown => self.power_off(slot),
            Ec2State::Stopping | Ec2State::Running => self.stopped(slot),
            Ec2State::Pending | Ec2State::Stopped | Ec2State::Terminated => {}
        }
    }

    fn stopped(&mut self, slot: usize) {
        if self.instances[slot].hibernates {
            self.instances[slot].powered = false;
        }
        self.cut_power(slot);
        self.set_ec2(slot, Ec2State::Stopped);
        self.after(self.config.delays.health, Timer::Health { slot });
    }

    /// EC2 stops the machine (a scheduled stop, a spot stop): power button now; the host reports its end with [`Region::guest_poweroff`].
    pub fn stop_instance(&mut self, id: &InstanceId, now: Timestamp) {
        self.settle(now);
        let Some(&slot) = self.by_id.get(id) else { return };
        self.stop(slot);
    }

    pub(super) fn stop(&mut self, slot: usize) {
        if self.instances[slot].ec2 == Ec2State::Running {
            self.set_ec2(slot, Ec2State::Stopping);
            self.events.push(Event::Shutdown(self.instances[slot].id.clone()));
            self.after(self.config.delays.health, Timer::Health { slot });
        }
    }

    /// The same without the power button.
    pub(super) fn stop_short(&mut self, slot: usize) {
        if self.instances[slot].ec2 == Ec2State::Running {
            self.stopped(slot);
        }
    }
}
