//! Keeps a group at its size.

use super::{Cause, LifecycleState, Process, Region, TerminationPolicy};

impl Region {
    /// After anything changed in a group: its size first, then its warm pool and its refresh.
    pub(super) fn rebalance(&mut self, group: usize) {
        self.balance(group);
        self.balance_pool(group);
        self.step_refresh(group);
    }

    /// Terminating instances do not count, so their replacements are launched at once.
    pub(super) fn balance(&mut self, group: usize) {
        let wanted = (self.groups[group].sizes.desired + self.groups[group].surge) as usize;
        let live = self.live(group).count();
        if live < wanted && !self.groups[group].is_suspended(Process::Launch) {
            for _ in live..wanted {
                if !self.take_spare(group) && !self.launch(group, LifecycleState::Pending) {
                    return;
                }
            }
        }
        if live > wanted && !self.groups[group].is_suspended(Process::Terminate) {
            for _ in wanted..live {
                self.scale_in(group);
            }
        }
    }

    fn scale_in(&mut self, group: usize) {
        let victim = match self.groups[group].termination_policy {
            TerminationPolicy::OldestInstance => self.live(group).next(),
            TerminationPolicy::NewestInstance => self.live(group).last(),
        };
        match victim {
            Some(slot) if self.returns(group) && self.instances[slot].lifecycle == LifecycleState::InService => self.begin_return(slot),
            Some(slot) => self.begin_termination(slot, Cause::Capacity),
            None => {}
        }
    }

    /// The slots of the instances that count, in launch order.
    pub(super) fn live(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        let members = self.groups[group].members.iter().copied();
        members.filter(|slot| self.instances[*slot].lifecycle.counts())
    }

    pub(super) fn in_service_count(&self, group: usize) -> usize {
        self.live(group).filter(|slot| self.instances[*slot].lifecycle == LifecycleState::InService).count()
    }
}
