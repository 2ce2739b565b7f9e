//! The replacement of root volumes: a strategy of the instance refresh. The instance, its id and its address stay; its root disk does not.
//!
//! The terminating hooks hold it up (`ReplacingRootVolume:Wait`). AWS's documents are silent about three things, and the model takes the
//! plainest: IMDS says nothing new, an abandoned hook holds it up no longer, and no launching hook opens afterwards.

use super::timers::MemberChange;
use super::{ApiError, Event, LifecycleState, Region, Transition};

impl Region {
    /// What a refresh of this strategy asks of its group.
    pub(super) fn check_root_volumes(&self, group: usize) -> Result<(), ApiError> {
        let home = &self.groups[group];
        if !home.mixed_instances {
            let message = "The ReplaceRootVolume strategy requires a mixed instances policy whose overrides specify an ImageId.";
            return Err(ApiError::validation(message));
        }
        if home.warm_pool.is_some() {
            return Err(ApiError::validation(
                "The ReplaceRootVolume strategy is not supported for an Auto Scaling group with a warm pool.",
            ));
        }
        Ok(())
    }

    pub(super) fn begin_root_volume(&mut self, slot: usize) {
        self.set_lifecycle(slot, LifecycleState::ReplacingRootVolume);
        self.member_after(self.config.delays.deregistration, slot, MemberChange::Deregistered);
    }

    pub(super) fn root_volume_deregistered(&mut self, slot: usize) {
        if self.open_actions(slot, Transition::Terminating) {
            self.set_lifecycle(slot, LifecycleState::ReplacingRootVolumeWait);
        } else {
            self.root_volume_proceed(slot);
        }
    }

    pub(super) fn root_volume_proceed(&mut self, slot: usize) {
        self.supersede_actions(slot);
        self.set_lifecycle(slot, LifecycleState::ReplacingRootVolumeProceed);
        self.member_after(self.config.delays.proceed, slot, MemberChange::Proceed);
    }

    /// The host swaps the disk and starts the system on it. The state `running` never changes.
    pub(super) fn replace_root_volume(&mut self, slot: usize) {
        self.events.push(Event::ReplaceRootVolume(self.instances[slot].id.clone()));
        self.set_lifecycle(slot, LifecycleState::RootVolumeReplaced);
        self.member_after(self.config.delays.boot, slot, MemberChange::Proceed);
    }
}
