//! What `quorate check` asks: more than the agent needs to know, and each of the agent's own calls in a form that has no effect.

use aws_sdk_autoscaling::types::AutoScalingGroup;
use quorate_core::ids::{GroupName, HookName, InstanceId};
use quorate_core::observation::HookRef;
use quorate_core::plan::HookResult;

use super::actions::SET_HEALTH;
use super::{AutoScaling, DESCRIBE_HOOKS, DESCRIBE_INSTANCES, FoundHook, TagEntry, groups, hooks, tags};
use crate::adapters::aws::AwsError;

/// A hook that no group has: its actions can be neither kept open nor completed.
const NO_HOOK: &str = "quorate-check-tries-whether-it-may";

/// An instance as its group sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnEntry {
    /// The group.
    pub group: GroupName,
    /// Its lifecycle state, as it is spelt.
    pub state: String,
    /// The group believes it healthy.
    pub healthy: bool,
}

/// What a group is set to, as far as a check judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// Every tag.
    pub tags: Vec<TagEntry>,
    /// The kinds of probes whose verdict it believes: `ELB`, `VPC_LATTICE`.
    pub health_checks: Vec<String>,
}

fn settings(found: &AutoScalingGroup) -> GroupSettings {
    GroupSettings { tags: tags::all(found), health_checks: groups::probes(found) }
}

impl AutoScaling {
    /// This instance's own entry; `None` if no group has it.
    ///
    /// # Errors
    /// The call failed, or the entry names no group.
    pub async fn own_entry(&self, instance: &InstanceId) -> Result<Option<OwnEntry>, AwsError> {
        let entries = self.entries(std::slice::from_ref(instance)).await?;
        let Some(found) = entries.iter().find(|entry| entry.instance_id() == Some(instance.as_str())) else {
            return Ok(None);
        };
        let group = found.auto_scaling_group_name().ok_or_else(|| AwsError::malformed(DESCRIBE_INSTANCES, "without a group"))?;
        // This call writes HEALTHY where DescribeAutoScalingGroups writes Healthy.
        let healthy = found.health_status().is_some_and(|health| health.eq_ignore_ascii_case("healthy"));
        let state = found.lifecycle_state().unwrap_or_default().to_owned();
        let group =
            GroupName::parse(group).map_err(|error| AwsError::malformed(DESCRIBE_INSTANCES, format!("that cannot be used: {error}")))?;
        Ok(Some(OwnEntry { group, state, healthy }))
    }

    /// What a group is set to.
    ///
    /// # Errors
    /// The call failed, or there is no such group.
    pub async fn group_settings(&self, group: &GroupName) -> Result<GroupSettings, AwsError> {
        self.named(group).await.map(|found| settings(&found))
    }

    /// Every hook of a group, ours or not.
    ///
    /// # Errors
    /// The call failed.
    pub async fn every_hook(&self, group: &GroupName) -> Result<Vec<FoundHook>, AwsError> {
        let request = self.asks.describe_lifecycle_hooks().auto_scaling_group_name(group.as_str());
        let answer = request.send().await.map_err(|error| AwsError::new(DESCRIBE_HOOKS, error))?;
        Ok(hooks::all(answer.lifecycle_hooks()))
    }

    /// Asks for what is in a group's warm pool. A refusal for a group without one is just as good.
    ///
    /// # Errors
    /// The call failed.
    pub async fn try_warm_pool(&self, group: &GroupName) -> Result<(), AwsError> {
        self.spares(group).await.map(drop)
    }

    /// Sends a heartbeat for a hook that does not exist. Without the permission the answer is "denied", before the hook is looked up; with it the call is
    /// refused.
    ///
    /// # Errors
    /// Always one: [`AwsError::Refused`] is the good one.
    pub async fn try_heartbeat(&self, group: &GroupName, instance: &InstanceId) -> Result<(), AwsError> {
        self.record(&no_hook(group), instance).await
    }

    /// Completes a hook that does not exist.
    ///
    /// # Errors
    /// As [`Self::try_heartbeat`].
    pub async fn try_completion(&self, group: &GroupName, instance: &InstanceId) -> Result<(), AwsError> {
        self.finish(&no_hook(group), instance, HookResult::Continue).await
    }

    /// Tells the group that this instance is healthy. Call it only where the group has just said the same, so nothing changes: the call has no dry run, and for
    /// an instance that is in no group a policy that names groups by tag would say nothing.
    ///
    /// # Errors
    /// The call failed.
    pub async fn confirm_healthy(&self, instance: &InstanceId) -> Result<(), AwsError> {
        let request = self.acts.set_instance_health().instance_id(instance.as_str()).health_status("Healthy");
        request.send().await.map(drop).map_err(|error| AwsError::new(SET_HEALTH, error))
    }
}

fn no_hook(group: &GroupName) -> HookRef {
    HookRef { group: group.clone(), name: HookName::new(NO_HOOK) }
}
