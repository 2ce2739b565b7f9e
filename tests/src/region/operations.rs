//! The calls that change something.

use quorate_core::ids::{GroupName, HookName, InstanceId};

use super::timers::Timer;
use super::{
    ActionReference, ActionResult, Api, ApiError, Call, Cause, Ec2State, Event, Health, HookSpec, LifecycleState, Process,
    RefreshPreferences, Sizes,
};

/// The most instances that one call terminates.
const MOST_TERMINATED: usize = 100;

impl Api<'_> {
    /// Restarts the timeout of an open lifecycle action, up to its cap.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group or hook; or no active action, which may mean not yet, already completed, or timed out.
    pub fn heartbeat(&mut self, group: &GroupName, hook: &HookName, reference: &ActionReference) -> Result<(), ApiError> {
        self.count(Call::RecordLifecycleActionHeartbeat);
        let index = self.hook_owner(group, hook)?;
        self.region.heartbeat(index, hook, reference)
    }

    /// Ends an open lifecycle action.
    ///
    /// # Errors
    ///
    /// As [`Api::heartbeat`].
    pub fn complete(
        &mut self,
        group: &GroupName,
        hook: &HookName,
        reference: &ActionReference,
        result: ActionResult,
    ) -> Result<(), ApiError> {
        self.count(Call::CompleteLifecycleAction);
        let index = self.hook_owner(group, hook)?;
        self.region.complete(index, hook, reference, result, self.caller)
    }

    fn hook_owner(&self, group: &GroupName, hook: &HookName) -> Result<usize, ApiError> {
        let index = self.region.group_index(group)?;
        let known = self.region.groups[index].hooks.iter().any(|known| known.name == *hook);
        if known { Ok(index) } else { Err(ApiError::no_hook(group, hook)) }
    }

    /// Makes a hook, or changes one; open actions keep what they began with.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group, or a heartbeat timeout out of bounds.
    pub fn put_hook(&mut self, group: &GroupName, hook: HookSpec) -> Result<(), ApiError> {
        self.count(Call::PutLifecycleHook);
        let index = self.region.group_index(group)?;
        self.region.check_hook(&hook)?;
        let hooks = &mut self.region.groups[index].hooks;
        match hooks.iter_mut().find(|known| known.name == hook.name) {
            Some(known) => *known = hook,
            None => hooks.push(hook),
        }
        Ok(())
    }

    /// Deletes a hook and completes its open actions: ABANDON for a launch, CONTINUE for a termination.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group or hook.
    pub fn delete_hook(&mut self, group: &GroupName, hook: &HookName) -> Result<(), ApiError> {
        self.count(Call::DeleteLifecycleHook);
        let index = self.hook_owner(group, hook)?;
        self.region.delete_hook(index, hook);
        Ok(())
    }

    /// Sets the desired capacity.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group, or out of its bounds.
    pub fn set_desired_capacity(&mut self, group: &GroupName, desired: u32) -> Result<(), ApiError> {
        self.count(Call::SetDesiredCapacity);
        let index = self.region.group_index(group)?;
        let Sizes { min, max, .. } = self.region.groups[index].sizes;
        let outside = match desired {
            low if low < min => format!("below min value {min}"),
            high if high > max => format!("above max value {max}"),
            _ => {
                self.region.resize(index, Sizes { min, max, desired });
                return Ok(());
            }
        };
        Err(ApiError::validation(format!("New SetDesiredCapacity value {desired} is {outside} for the AutoScalingGroup.")))
    }

    /// Changes the given sizes. A bound moved past the present desired capacity moves that with it.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group, or sizes that contradict each other.
    pub fn update_group(&mut self, group: &GroupName, min: Option<u32>, max: Option<u32>, desired: Option<u32>) -> Result<(), ApiError> {
        self.count(Call::UpdateAutoScalingGroup);
        let index = self.region.group_index(group)?;
        let before = self.region.groups[index].sizes;
        let (min, max) = (min.unwrap_or(before.min), max.unwrap_or(before.max));
        let desired = desired.unwrap_or(before.desired.min(max).max(min));
        let sizes = Sizes { min, max, desired };
        sizes.check()?;
        self.region.resize(index, sizes);
        Ok(())
    }

    /// Terminates one instance of a group, which is replaced unless the desired capacity shrinks with it.
    ///
    /// # Errors
    ///
    /// `ValidationError`: in no group; in a warm pool; or the group would shrink below its minimum.
    pub fn terminate_in_group(&mut self, id: &InstanceId, decrement: bool) -> Result<(), ApiError> {
        self.count(Call::TerminateInstanceInAutoScalingGroup);
        let slot = self.region.managed(id)?;
        self.region.refuse_spare(slot, "terminated by this call")?;
        let group = self.region.instances[slot].group;
        match self.region.instances[slot].lifecycle {
            // The one way out of the retained state; its hooks are spent.
            LifecycleState::TerminatingRetained => self.region.terminating_proceed(slot),
            state if state.leaving() => {}
            _ => {
                if decrement {
                    self.region.shrink(group)?;
                }
                self.region.begin_termination(slot, Cause::Request);
                self.region.rebalance(group);
            }
        }
        Ok(())
    }

    /// The same for up to a hundred instances of one group in one call.
    ///
    /// # Errors
    ///
    /// `ValidationError`, and then none is terminated: too many or none; one in no group, in another group or in a warm pool; or the group would shrink below
    /// its minimum.
    pub fn terminate_several(&mut self, group: &GroupName, ids: &[InstanceId], decrement: bool) -> Result<(), ApiError> {
        let index = self.region.group_index(group)?;
        if !(1..=MOST_TERMINATED).contains(&ids.len()) {
            return Err(ApiError::validation(format!("InstanceIds must name 1 to {MOST_TERMINATED} instances.")));
        }
        for id in ids {
            let slot = self.region.managed(id)?;
            self.region.refuse_spare(slot, "terminated by this call")?;
            if self.region.instances[slot].group != index {
                return Err(ApiError::validation(format!("Instance {id} is not part of Auto Scaling group {group}.")));
            }
        }
        let Sizes { min, desired, .. } = self.region.groups[index].sizes;
        if decrement && (desired as usize) < min as usize + ids.len() {
            return Err(ApiError::validation(format!("The group {group} would shrink below its minimum size ({min}).")));
        }
        ids.iter().try_for_each(|id| self.terminate_in_group(id, decrement))
    }

    /// Sets the instance lifecycle policy: whether an abandoned terminating hook keeps the machine.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group.
    pub fn set_retention(&mut self, group: &GroupName, retain_on_abandon: bool) -> Result<(), ApiError> {
        self.count(Call::UpdateAutoScalingGroup);
        let index = self.region.group_index(group)?;
        self.region.groups[index].retain_on_abandon = retain_on_abandon;
        Ok(())
    }

    /// Sets an instance's health in its group; an unhealthy one is terminated and replaced.
    ///
    /// # Errors
    ///
    /// `ValidationError`: in no group.
    pub fn set_instance_health(&mut self, id: &InstanceId, health: Health) -> Result<(), ApiError> {
        self.count(Call::SetInstanceHealth);
        let slot = self.region.managed(id)?;
        match health {
            Health::Unhealthy => self.region.mark_unhealthy(slot),
            Health::Healthy => self.region.mark_healthy(slot),
        }
        self.region.after(self.region.config.delays.unhealthy, Timer::Health { slot });
        Ok(())
    }

    /// Begins to replace every instance of a group.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group. `InstanceRefreshInProgress`: one is running already.
    pub fn start_instance_refresh(&mut self, group: &GroupName, preferences: Option<RefreshPreferences>) -> Result<String, ApiError> {
        self.count(Call::StartInstanceRefresh);
        let index = self.region.group_index(group)?;
        let preferences = preferences.unwrap_or(if self.region.groups[index].launch_before_terminate {
            RefreshPreferences::launch_before_terminate()
        } else {
            RefreshPreferences::terminate_before_launch()
        });
        self.region.start_refresh(index, preferences)
    }

    /// Ends a refresh where it stands.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group. `ActiveInstanceRefreshNotFound`: none is running.
    pub fn cancel_instance_refresh(&mut self, group: &GroupName) -> Result<String, ApiError> {
        self.count(Call::CancelInstanceRefresh);
        let index = self.region.group_index(group)?;
        self.region.cancel_refresh(index)
    }

    /// Suspends processes of a group.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group.
    pub fn suspend_processes(&mut self, group: &GroupName, processes: &[Process]) -> Result<(), ApiError> {
        self.count(Call::SuspendProcesses);
        let index = self.region.group_index(group)?;
        let suspended = &mut self.region.groups[index].suspended;
        suspended.extend_from_slice(processes);
        suspended.sort_unstable();
        suspended.dedup();
        Ok(())
    }

    /// Resumes processes of a group; what was missed in the meantime is made up for.
    ///
    /// # Errors
    ///
    /// `ValidationError`: no such group.
    pub fn resume_processes(&mut self, group: &GroupName, processes: &[Process]) -> Result<(), ApiError> {
        self.count(Call::ResumeProcesses);
        let index = self.region.group_index(group)?;
        self.region.groups[index].suspended.retain(|process| !processes.contains(process));
        for slot in self.region.groups[index].members.clone() {
            self.region.look_at_health(slot);
        }
        self.region.rebalance(index);
        Ok(())
    }

    /// EC2: terminates instances outright. No hook of theirs holds it up; their group finds out later.
    ///
    /// # Errors
    ///
    /// `InvalidInstanceID.NotFound`, and then none is terminated.
    pub fn terminate_instances(&mut self, ids: &[InstanceId]) -> Result<(), ApiError> {
        self.count(Call::TerminateInstances);
        for slot in self.region.known(ids)? {
            let ec2 = self.region.instances[slot].ec2;
            if !matches!(ec2, Ec2State::ShuttingDown | Ec2State::Terminated) {
                self.region.shut_down(slot);
                self.region.after(self.region.config.delays.health, Timer::Health { slot });
            }
        }
        Ok(())
    }

    /// EC2: the same with `SkipOsShutdown`: the power is cut, and the operating system learns nothing.
    ///
    /// # Errors
    ///
    /// As [`Api::terminate_instances`].
    pub fn terminate_at_once(&mut self, ids: &[InstanceId]) -> Result<(), ApiError> {
        self.count(Call::TerminateInstances);
        for slot in self.region.known(ids)? {
            if self.region.instances[slot].ec2 != Ec2State::Terminated {
                self.region.cut_short(slot);
                self.region.after(self.region.config.delays.health, Timer::Health { slot });
            }
        }
        Ok(())
    }

    /// EC2: stops instances. With `skip_os_shutdown` the power is cut, and the operating system learns nothing.
    ///
    /// # Errors
    ///
    /// `InvalidInstanceID.NotFound`; `IncorrectInstanceState` when one is neither running nor stopped.
    pub fn stop_instances(&mut self, ids: &[InstanceId], skip_os_shutdown: bool) -> Result<(), ApiError> {
        self.count(Call::StopInstances);
        let slots = self.region.known(ids)?;
        let stoppable =
            |slot: &&usize| matches!(self.region.instances[**slot].ec2, Ec2State::Running | Ec2State::Stopping | Ec2State::Stopped);
        if let Some(slot) = slots.iter().find(|slot| !stoppable(slot)) {
            let message = format!("The instance '{}' is not in a state from which it can be stopped.", self.region.instances[*slot].id);
            return Err(ApiError::new("IncorrectInstanceState", message));
        }
        for slot in slots {
            if skip_os_shutdown { self.region.stop_short(slot) } else { self.region.stop(slot) }
        }
        Ok(())
    }

    /// EC2: restarts operating systems; the state stays `running`.
    ///
    /// # Errors
    ///
    /// `InvalidInstanceID.NotFound`; `IncorrectInstanceState` when one is not running.
    pub fn reboot_instances(&mut self, ids: &[InstanceId]) -> Result<(), ApiError> {
        self.count(Call::RebootInstances);
        let slots = self.region.known(ids)?;
        if let Some(down) = slots.iter().map(|slot| &self.region.instances[*slot]).find(|one| one.ec2 != Ec2State::Running) {
            let message = format!("The instance '{}' is not in a state from which it can be rebooted.", down.id);
            return Err(ApiError::new("IncorrectInstanceState", message));
        }
        self.region.events.extend(ids.iter().cloned().map(Event::Reboot));
        Ok(())
    }
}

impl super::Region {
    fn known(&self, ids: &[InstanceId]) -> Result<Vec<usize>, ApiError> {
        let known: Vec<_> = ids.iter().filter_map(|id| self.by_id.get(id).copied()).filter(|slot| self.remembers(*slot)).collect();
        if known.len() == ids.len() {
            return Ok(known);
        }
        let unknown = |id: &&InstanceId| !self.by_id.get(*id).is_some_and(|slot| self.remembers(*slot));
        Err(ApiError::unknown_instances(&ids.iter().filter(unknown).cloned().collect::<Vec<_>>()))
    }

    fn remembers(&self, slot: usize) -> bool {
        let gone = self.instances[slot].terminated_at;
        gone.is_none_or(|at| self.now.since(at) <= self.config.delays.forget)
    }

    fn resize(&mut self, group: usize, sizes: Sizes) {
        let now = self.now;
        self.groups[group].resize(sizes, now);
        self.rebalance(group);
    }

    fn mark_healthy(&mut self, slot: usize) {
        let now = self.now;
        let instance = &mut self.instances[slot];
        instance.health = Health::Healthy;
        instance.record(now);
    }

    /// One fewer desired, unless that is below the minimum.
    pub(super) fn shrink(&mut self, group: usize) -> Result<(), ApiError> {
        let Sizes { min, max, desired } = self.groups[group].sizes;
        if desired <= min {
            return Err(ApiError::validation(format!(
                "Currently, desiredSize equals minSize ({min}). Terminating instance without replacement will violate \
                 group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
            )));
        }
        let now = self.now;
        self.groups[group].resize(Sizes { min, max, desired: desired - 1 }, now);
        Ok(())
    }
}
