//! Fires everything due, in order.

use quorate_core::time::Timestamp;

use super::Region;
use super::timers::{MachineChange, MemberChange, Timer};

impl Region {
    /// Brings the region up to `now`; time never runs backwards in it. Events wait for [`Region::advance`].
    pub fn settle(&mut self, now: Timestamp) {
        while let Some((at, timer)) = self.timers.take_due(now) {
            self.now = self.now.max(at);
            self.fire(timer);
        }
        self.now = self.now.max(now);
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Machine { slot, epoch, change } if self.instances[slot].machine_epoch == epoch => match change {
                MachineChange::Boot => self.boot(slot),
                MachineChange::PowerOff => self.power_off(slot),
                MachineChange::Lost => self.lost(slot),
            },
            Timer::Member { slot, epoch, change } if self.instances[slot].lifecycle_epoch == epoch => match change {
                MemberChange::Prepared => self.prepared(slot),
                MemberChange::TargetTerminated => self.target_terminated(slot),
                MemberChange::TargetWarmed => self.target_warmed(slot),
                MemberChange::Deregistered => self.deregistered(slot),
                MemberChange::Proceed => self.proceed(slot),
                MemberChange::Departed => self.departed(slot),
            },
            Timer::Machine { .. } | Timer::Member { .. } => {}
            Timer::Health { slot } => self.look_at_health(slot),
            Timer::Deadline { action } => self.deadline(action),
            Timer::Refresh { group } => self.refresh_due(group),
        }
    }
}
