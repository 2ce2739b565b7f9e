//! Warm pools: spares beside a group, stopped, running or hibernated, from which it grows before it launches.
//!
//! A spare's launching hooks run as it enters the pool and once more as it is taken into service. An instance that a scale-in returns to the
//! pool runs its *terminating* hooks, in the same state `Warmed:Pending:Wait`. IMDS names the pool's state as the target meanwhile.
//! AWS's documents do not say what an abandoned hook does on the way into the pool: here the instance is terminated, or retained where the
//! group's lifecycle policy says so and it was a terminating hook.

use std::time::Duration;

use quorate_core::ids::{GroupName, InstanceId};

use super::timers::{MachineChange, MemberChange};
use super::{
    Activity, Api, ApiError, Call, Cause, Ec2State, Event, Health, Instance, LifecycleState, MemberView, PoolState, Process, Region,
    Service, Sizes, Target, Transition,
};

/// A warm pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmPool {
    /// What becomes of an instance in it.
    pub state: PoolState,
    /// Never fewer spares than these.
    pub min: u32,
    /// The number of instances in the group and the pool together; the group's maximum, where it is not given.
    pub max_prepared: Option<u32>,
    /// A scale-in returns instances to the pool and does not terminate them.
    pub reuse_on_scale_in: bool,
}

impl WarmPool {
    /// A pool of this many spares in this state.
    #[must_use]
    pub fn of(state: PoolState, spares: u32) -> Self {
        Self { state, min: spares, max_prepared: Some(0), reuse_on_scale_in: false }
    }

    fn size(&self, Sizes { max, desired, .. }: Sizes) -> u32 {
        self.min.max(self.max_prepared.unwrap_or(max).saturating_sub(desired))
    }
}

impl PoolState {
    const fn lifecycle(self) -> LifecycleState {
        match self {
            Self::Stopped => LifecycleState::WarmedStopped,
            Self::Running => LifecycleState::WarmedRunning,
            Self::Hibernated => LifecycleState::WarmedHibernated,
        }
    }

    const fn target(self) -> Target {
        match self {
            Self::Stopped => Target::WarmedStopped,
            Self::Running => Target::WarmedRunning,
            Self::Hibernated => Target::WarmedHibernated,
        }
    }
}

impl Api<'_> {
    /// Makes a group's warm pool, or changes it. Spares keep the state that they are in.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group. `ResourceInUse`: the pool is marked for deletion.
    pub fn put_warm_pool(&mut self, group: &GroupName, pool: WarmPool) -> Result<(), ApiError> {
        self.count(Call::PutWarmPool);
        let index = self.region.group_index(group)?;
        if self.region.groups[index].warm_pool_ends {
            return Err(ApiError::new("ResourceInUse", format!("The warm pool of AutoScalingGroup {group} is pending delete.")));
        }
        self.region.groups[index].warm_pool = Some(pool);
        self.region.rebalance(index);
        Ok(())
    }

    /// Deletes a group's warm pool once its spares are terminated; by force they are terminated without their hooks.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group, or it has no warm pool.
    pub fn delete_warm_pool(&mut self, group: &GroupName, force: bool) -> Result<(), ApiError> {
        self.count(Call::DeleteWarmPool);
        let index = self.region.group_index(group)?;
        if self.region.groups[index].warm_pool.is_none() {
            return Err(ApiError::validation(format!("No warm pool found for AutoScalingGroup {group}")));
        }
        self.region.groups[index].warm_pool_ends = true;
        for slot in self.region.spares(index).collect::<Vec<_>>() {
            self.region.instances[slot].skip_hooks |= force;
            self.region.end_spare(slot, Cause::Request);
        }
        self.region.rebalance(index);
        Ok(())
    }

    /// A group's warm pool, if it has one, and the instances in it. No other call that lists a group names them.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group.
    pub fn describe_warm_pool(&mut self, group: &GroupName) -> Result<(Option<WarmPool>, Vec<MemberView>), ApiError> {
        self.count(Call::DescribeWarmPool);
        let index = self.region.group_index(group)?;
        let lens = self.region.lens(Service::AutoScaling, self.caller);
        let all = self.region.members_seen(&self.region.groups[index], &lens);
        Ok((self.region.groups[index].warm_pool, all.into_iter().filter(|member| member.lifecycle.warm()).collect()))
    }
}

impl Region {
    /// The slots of the spares, in or on their way into the pool, in launch order.
    fn spares(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        let members = self.groups[group].members.iter().copied();
        members.filter(|slot| {
            let state = self.instances[*slot].lifecycle;
            state.warm() && !state.leaving()
        })
    }

    /// How many instances the pool should hold.
    pub(super) fn pool_size(&self, group: usize) -> u32 {
        let home = &self.groups[group];
        home.warm_pool.filter(|_| !home.warm_pool_ends).map_or(0, |pool| pool.size(home.sizes))
    }

    /// Fills the pool, or ends the surplus in it; a pool marked for deletion ends once it is empty.
    pub(super) fn balance_pool(&mut self, group: usize) {
        if self.groups[group].warm_pool.is_none() {
            return;
        }
        let (wanted, have) = (self.pool_size(group) as usize, self.spares(group).count());
        if have < wanted && !self.groups[group].is_suspended(Process::Launch) {
            let launched = (have..wanted).all(|_| self.launch(group, LifecycleState::WarmedPending));
            let _ = launched;
        }
        if have > wanted && !self.groups[group].is_suspended(Process::Terminate) {
            for slot in self.spares(group).take(have - wanted).collect::<Vec<_>>() {
                self.end_spare(slot, Cause::Capacity);
            }
        }
        let empty = !self.groups[group].members.iter().any(|slot| self.instances[*slot].lifecycle.warm());
        if self.groups[group].warm_pool_ends && empty {
            (self.groups[group].warm_pool, self.groups[group].warm_pool_ends) = (None, false);
        }
    }

    /// Takes a spare that is ready into service: its machine comes up if it is off, and its launching hooks open once more.
    pub(super) fn take_spare(&mut self, group: usize) -> bool {
        let ready = |instance: &Instance| match instance.lifecycle {
            LifecycleState::WarmedRunning => instance.ec2 == Ec2State::Running,
            LifecycleState::WarmedStopped | LifecycleState::WarmedHibernated => instance.ec2 == Ec2State::Stopped,
            _ => false,
        };
        let Some(slot) = self.spares(group).find(|slot| ready(&self.instances[*slot])) else { return false };
        let activity = Activity { at: self.now, instance: Some(self.instances[slot].id.clone()), launch: true, cause: Cause::Capacity };
        self.groups[group].activities.push(activity);
        self.set_lifecycle(slot, LifecycleState::Pending);
        if self.instances[slot].ec2 == Ec2State::Running {
            self.member_after(self.config.delays.prepare, slot, MemberChange::Prepared);
        } else {
            self.set_ec2(slot, Ec2State::Pending);
            self.machine_after(self.config.delays.boot, slot, MachineChange::Boot);
        }
        true
    }

    /// The way of a new spare into the pool: IMDS announces it before its hooks open.
    pub(super) fn warmed_prepared(&mut self, slot: usize) {
        self.say_pool(slot);
        if self.open_actions(slot, Transition::Launching) {
            self.set_lifecycle(slot, LifecycleState::WarmedPendingWait);
        } else {
            self.enter_pool(slot);
        }
    }

    fn say_pool(&mut self, slot: usize) {
        let pool = self.groups[self.instances[slot].group].warm_pool;
        self.instances[slot].metadata.target = pool.map(|pool| pool.state.target());
    }

    /// A scale-in returns the instance, where there is room in the pool.
    pub(super) fn returns(&self, group: usize) -> bool {
        let room = self.spares(group).count() < self.pool_size(group) as usize;
        room && self.groups[group].warm_pool.is_some_and(|pool| pool.reuse_on_scale_in)
    }

    pub(super) fn begin_return(&mut self, slot: usize) {
        self.supersede_actions(slot);
        self.set_lifecycle(slot, LifecycleState::WarmedPending);
        let (group, id) = (self.instances[slot].group, self.instances[slot].id.clone());
        self.groups[group].activities.push(Activity { at: self.now, instance: Some(id), launch: false, cause: Cause::Capacity });
        let delays = self.config.delays;
        self.member_after(delays.target.min(delays.deregistration), slot, MemberChange::TargetWarmed);
        self.member_after(delays.deregistration, slot, MemberChange::Deregistered);
    }

    pub(super) fn target_warmed(&mut self, slot: usize) {
        self.say_pool(slot);
    }

    /// The load balancers have let go of an instance that returns to the pool.
    pub(super) fn returned(&mut self, slot: usize) {
        if self.open_actions(slot, Transition::Terminating) {
            self.set_lifecycle(slot, LifecycleState::WarmedPendingWait);
        } else {
            self.enter_pool(slot);
        }
    }

    pub(super) fn warmed_proceed(&mut self, slot: usize) {
        self.set_lifecycle(slot, LifecycleState::WarmedPendingProceed);
        self.member_after(self.config.delays.proceed, slot, MemberChange::Proceed);
    }

    /// It is a spare from now on. One that is to be off gets the power button, or has to hibernate; the host reports its end with
    /// [`Region::guest_poweroff`].
    pub(super) fn enter_pool(&mut self, slot: usize) {
        let group = self.instances[slot].group;
        let Some(state) = self.groups[group].warm_pool.map(|pool| pool.state) else {
            return self.end_spare(slot, Cause::Capacity);
        };
        self.set_lifecycle(slot, state.lifecycle());
        let id = self.instances[slot].id.clone();
        match state {
            PoolState::Running => {}
            PoolState::Stopped => {
                self.set_ec2(slot, Ec2State::Stopping);
                self.events.push(Event::Shutdown(id));
            }
            PoolState::Hibernated => {
                self.set_ec2(slot, Ec2State::Stopping);
                self.instances[slot].hibernates = true;
                self.events.push(Event::Hibernate(id));
            }
        }
        self.rebalance(group);
    }

    /// Abandoned on the way into the pool.
    pub(super) fn abandon_warming(&mut self, slot: usize, transition: Transition) {
        let group = self.instances[slot].group;
        self.supersede_actions(slot);
        if transition == Transition::Terminating && self.groups[group].retain_on_abandon && self.instances[slot].alive() {
            self.set_lifecycle(slot, LifecycleState::WarmedPendingRetained);
            return;
        }
        self.instances[slot].skip_hooks = !self.config.hooks_after_abandoned_launch;
        self.end_spare(slot, Cause::LaunchAbandoned);
        self.rebalance(group);
    }

    /// A spare is terminated. Its terminating hooks open although its machine may be off, and no agent is there to complete them.
    pub(super) fn end_spare(&mut self, slot: usize, cause: Cause) {
        if self.instances[slot].lifecycle.leaving() || !self.instances[slot].member {
            return;
        }
        self.supersede_actions(slot);
        self.set_lifecycle(slot, LifecycleState::WarmedTerminating);
        let (group, id) = (self.instances[slot].group, self.instances[slot].id.clone());
        self.groups[group].activities.push(Activity { at: self.now, instance: Some(id), launch: false, cause });
        self.instances[slot].metadata.target = Some(Target::WarmedTerminated);
        self.member_after(Duration::ZERO, slot, MemberChange::Deregistered);
    }

    pub(super) fn spare_deregistered(&mut self, slot: usize) {
        if !self.instances[slot].skip_hooks && self.open_actions(slot, Transition::Terminating) {
            self.set_lifecycle(slot, LifecycleState::WarmedTerminatingWait);
        } else {
            self.finish(slot);
        }
    }

    pub(super) fn spare_terminating_proceed(&mut self, slot: usize) {
        self.supersede_actions(slot);
        self.set_lifecycle(slot, LifecycleState::WarmedTerminatingProceed);
        self.member_after(self.config.delays.proceed, slot, MemberChange::Proceed);
    }

    /// A spare that is off is as it should be; one that is gone, or that somebody called unhealthy, is replaced.
    pub(super) fn look_at_spare(&mut self, slot: usize) {
        let instance = &self.instances[slot];
        let off = matches!(instance.ec2, Ec2State::Stopping | Ec2State::Stopped);
        let sleeps = matches!(instance.lifecycle, LifecycleState::WarmedStopped | LifecycleState::WarmedHibernated);
        let well = instance.health == Health::Healthy && (instance.alive() || (off && sleeps));
        if !well {
            let group = instance.group;
            self.mark_unhealthy(slot);
            self.end_spare(slot, Cause::Unhealthy);
            self.rebalance(group);
        }
    }

    /// The refusal of calls that are not possible on an instance in a warm pool.
    pub(super) fn refuse_spare(&self, slot: usize, what: &str) -> Result<(), ApiError> {
        let Instance { id, lifecycle, .. } = &self.instances[slot];
        if !lifecycle.warm() {
            return Ok(());
        }
        Err(ApiError::validation(format!("The instance {id} is in a warm pool and cannot be {what}.")))
    }

    /// The instances of a group's pool, in launch order.
    pub fn spare_instances(&self, group: &GroupName) -> impl Iterator<Item = &InstanceId> {
        self.members(group).filter(|one| one.lifecycle.warm()).map(|one| &one.id)
    }
}
