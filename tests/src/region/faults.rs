//! What a test does to the region from outside the API: groups made and unmade, shortages, states set by hand.

use std::time::Duration;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::time::Timestamp;

use super::{ApiError, Cause, Group, GroupSpec, HookSpec, Region, Sizes, Target};

/// The real API's longest heartbeat timeout.
const LONGEST_HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(7200);

impl Region {
    /// Makes a group and launches its instances.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; `ValidationError` for sizes or hooks that the API would refuse.
    pub fn create_group(&mut self, spec: GroupSpec, now: Timestamp) -> Result<(), ApiError> {
        self.settle(now);
        if self.group_index(&spec.name).is_ok() {
            let message = format!("AutoScalingGroup by this name already exists - A group with the name {} already exists", spec.name);
            return Err(ApiError::new("AlreadyExists", message));
        }
        Sizes { min: spec.min, max: spec.max, desired: spec.desired }.check()?;
        spec.hooks.iter().try_for_each(|hook| self.check_hook(hook))?;
        let zone = format!("{}a", self.config.region);
        self.groups.push(Group::new(spec, zone, self.now));
        let group = self.groups.len() - 1;
        self.balance(group);
        self.balance_pool(group);
        Ok(())
    }

    pub(super) fn check_hook(&self, hook: &HookSpec) -> Result<(), ApiError> {
        let shortest = self.config.shortest_heartbeat_timeout;
        if (shortest..=LONGEST_HEARTBEAT_TIMEOUT).contains(&hook.heartbeat_timeout) {
            return Ok(());
        }
        let (low, high) = (shortest.as_secs(), LONGEST_HEARTBEAT_TIMEOUT.as_secs());
        Err(ApiError::validation(format!("Heartbeat Timeout must be between {low} and {high} seconds")))
    }

    /// Deletes a group with its instances at once, as `ForceDelete` does: no hook runs.
    pub fn delete_group(&mut self, name: &GroupName, now: Timestamp) {
        self.settle(now);
        let Ok(group) = self.group_index(name) else { return };
        self.groups[group].resize(Sizes { min: 0, max: 0, desired: 0 }, self.now);
        self.groups[group].hooks.clear();
        self.groups[group].warm_pool = None;
        for slot in self.groups[group].members.clone() {
            if self.instances[slot].lifecycle.leaving() {
                self.supersede_actions(slot);
                self.finish(slot);
            } else {
                self.begin_termination(slot, Cause::GroupDeleted);
            }
        }
    }

    /// Whether launches of that group fail because there is no capacity. Once they can succeed again, the group makes up for them.
    pub fn set_capacity_short(&mut self, name: &GroupName, short: bool, now: Timestamp) {
        self.settle(now);
        let Ok(group) = self.group_index(name) else { return };
        self.groups[group].capacity_short = short;
        self.rebalance(group);
    }

    /// Sets what IMDS says about where the instance is being taken; `None` is 404.
    pub fn set_target(&mut self, id: &InstanceId, target: Option<Target>) {
        if let Some(metadata) = self.metadata_mut(id) {
            metadata.target = target;
        }
    }
}
