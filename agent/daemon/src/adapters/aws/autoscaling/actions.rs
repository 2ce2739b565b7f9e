//! What an instance tells its group. Each is one call and one attempt: the next plan decides whether to call again.
//!
//! Actions are named by hook, group and instance id. The notification's token is not needed, and IMDS does not show it.

use quorate_core::ids::InstanceId;
use quorate_core::observation::HookRef;
use quorate_core::plan::{HookResult, Outcome};

use super::super::AwsError;
use super::super::error::outcome;
use super::AutoScaling;

const HEARTBEAT: &str = "autoscaling:RecordLifecycleActionHeartbeat";
const COMPLETE: &str = "autoscaling:CompleteLifecycleAction";
pub(super) const SET_HEALTH: &str = "autoscaling:SetInstanceHealth";

impl AutoScaling {
    /// Restarts the heartbeat timeout of an open action.
    pub async fn heartbeat(&self, hook: &HookRef, instance: &InstanceId) -> Outcome {
        outcome(self.record(hook, instance).await)
    }

    /// The same, with the answer as it came.
    pub(super) async fn record(&self, hook: &HookRef, instance: &InstanceId) -> Result<(), AwsError> {
        let request = self.acts.record_lifecycle_action_heartbeat().auto_scaling_group_name(hook.group.as_str());
        let request = request.lifecycle_hook_name(hook.name.as_str()).instance_id(instance.as_str());
        request.send().await.map(drop).map_err(|error| AwsError::new(HEARTBEAT, error))
    }

    /// Completes an open action.
    ///
    /// `NotOpen` means not yet, already completed, or timed out: the API does not distinguish the three.
    pub async fn complete(&self, hook: &HookRef, instance: &InstanceId, result: HookResult) -> Outcome {
        outcome(self.finish(hook, instance, result).await)
    }

    /// The same, with the answer as it came.
    pub(super) async fn finish(&self, hook: &HookRef, instance: &InstanceId, result: HookResult) -> Result<(), AwsError> {
        let request = self.acts.complete_lifecycle_action().auto_scaling_group_name(hook.group.as_str());
        let request = request.lifecycle_hook_name(hook.name.as_str()).instance_id(instance.as_str());
        let request = request.lifecycle_action_result(result.to_string());
        request.send().await.map(drop).map_err(|error| AwsError::new(COMPLETE, error))
    }

    /// Asks the group to replace an instance.
    pub async fn set_unhealthy(&self, instance: &InstanceId) -> Outcome {
        let request = self.acts.set_instance_health().instance_id(instance.as_str()).health_status("Unhealthy");
        // By default the API accepts the call but ignores it during the group's grace period, which may be long.
        let request = request.should_respect_grace_period(false);
        outcome(request.send().await.map_err(|error| AwsError::new(SET_HEALTH, error)))
    }
}
