//! Standby and detachment: no hook runs for either; the instance learns of it only from IMDS.

use quorate_core::ids::{GroupName, InstanceId};

use super::timers::Timer;
use super::{Api, ApiError, Call, Ec2State, LifecycleState, Sizes, Target};

impl Api<'_> {
    /// Takes instances out of the count but not out of the group; they are replaced unless the desired capacity shrinks.
    ///
    /// # Errors
    ///
    /// `ValidationError`: in no group; not in service; or the group would shrink below its minimum.
    pub fn enter_standby(&mut self, id: &InstanceId, decrement: bool) -> Result<(), ApiError> {
        self.count(Call::EnterStandby);
        let slot = self.in_state(id, LifecycleState::InService)?;
        self.take_out(slot, decrement, LifecycleState::Standby, Target::Standby)
    }

    /// Puts an instance in standby back into service; the desired capacity grows by it.
    ///
    /// # Errors
    ///
    /// `ValidationError`: in no group; or not in standby.
    pub fn exit_standby(&mut self, id: &InstanceId) -> Result<(), ApiError> {
        self.count(Call::ExitStandby);
        let slot = self.in_state(id, LifecycleState::Standby)?;
        let (now, group) = (self.region.now, self.region.instances[slot].group);
        let Sizes { min, max, desired } = self.region.groups[group].sizes;
        self.region.groups[group].resize(Sizes { min, max: max.max(desired + 1), desired: desired + 1 }, now);
        self.region.instances[slot].metadata.target = Some(Target::InService);
        self.region.in_service(slot);
        // The group finds out now what happened to it meanwhile.
        self.region.after(self.region.config.delays.health, Timer::Health { slot });
        Ok(())
    }

    /// Takes an instance out of its group, alive; it is replaced unless the desired capacity shrinks.
    ///
    /// # Errors
    ///
    /// `ValidationError`: in no group; not in service; or the group would shrink below its minimum.
    pub fn detach(&mut self, id: &InstanceId, decrement: bool) -> Result<(), ApiError> {
        self.count(Call::DetachInstances);
        let slot = self.in_state(id, LifecycleState::InService)?;
        self.take_out(slot, decrement, LifecycleState::Detached, Target::Detached)?;
        self.region.drop_member(slot);
        // The tags that Auto Scaling itself set are removed with the membership; the operator's stay.
        let instance = &mut self.region.instances[slot];
        instance.tags = instance.tags.iter().filter(|tag| !tag.key.starts_with("aws:autoscaling:")).cloned().collect();
        Ok(())
    }

    /// Puts a running instance that was detached into its group again; the desired capacity grows by it.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group; not an instance that this group once launched; in a group already; not running; or the group would grow past its maximum.
    pub fn attach(&mut self, group: &GroupName, id: &InstanceId) -> Result<(), ApiError> {
        self.count(Call::AttachInstances);
        let index = self.region.group_index(group)?;
        let slot = self.region.by_id.get(id).copied().filter(|slot| self.region.instances[*slot].group == index);
        let Some(slot) = slot else { return Err(ApiError::validation(format!("Invalid Instance ID(s): [{id}] specified"))) };
        let instance = &self.region.instances[slot];
        if instance.member || instance.ec2 != Ec2State::Running {
            let message = format!("Instance {id} is in an Auto Scaling group, or is not in correct state: {}.", instance.ec2);
            return Err(ApiError::validation(message));
        }
        let (now, Sizes { min, max, desired }) = (self.region.now, self.region.groups[index].sizes);
        if desired >= max {
            return Err(ApiError::validation(format!("AutoScalingGroup {group} has max-size = {max}.")));
        }
        self.region.groups[index].resize(Sizes { min, max, desired: desired + 1 }, now);
        self.region.groups[index].members.push(slot);
        self.region.groups[index].members.sort_unstable();
        let tags = self.region.groups[index].instance_tags.clone();
        let instance = &mut self.region.instances[slot];
        (instance.member, instance.tags, instance.metadata.target) = (true, tags, Some(Target::InService));
        self.region.in_service(slot);
        Ok(())
    }

    fn in_state(&self, id: &InstanceId, state: LifecycleState) -> Result<usize, ApiError> {
        let slot = self.region.managed(id)?;
        if self.region.instances[slot].lifecycle == state {
            return Ok(slot);
        }
        Err(ApiError::validation(format!("The instance {id} is not in {state}.")))
    }

    fn take_out(&mut self, slot: usize, decrement: bool, state: LifecycleState, target: Target) -> Result<(), ApiError> {
        let group = self.region.instances[slot].group;
        if decrement {
            self.region.shrink(group)?;
        }
        self.region.instances[slot].metadata.target = Some(target);
        self.region.set_lifecycle(slot, state);
        self.region.rebalance(group);
        Ok(())
    }
}
