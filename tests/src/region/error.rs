//! Refusals, in the words of AWS: some of them clients can tell apart only by the text.

use quorate_core::ids::{GroupName, HookName, InstanceId};
use thiserror::Error;

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The error code, such as `ValidationError`.
    pub code: &'static str,
    /// The sentence that accompanies it.
    pub message: String,
}

const NO_ACTIVE_ACTION: &str = "No active Lifecycle Action found";

impl ApiError {
    /// A refusal with this code and sentence.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The refusal that Auto Scaling gives for nearly everything.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationError", message)
    }

    /// The same text means "not yet", "already completed" and "timed out": AWS has no code to tell them apart.
    #[must_use]
    pub fn no_active_action(reference: &super::ActionReference) -> Self {
        match reference {
            super::ActionReference::Token(token) => Self::validation(format!("{NO_ACTIVE_ACTION} with token {token}")),
            super::ActionReference::Instance(id) => Self::validation(format!("{NO_ACTIVE_ACTION} with instance ID {id}")),
        }
    }

    /// Whether it is that refusal.
    #[must_use]
    pub fn is_no_active_action(&self) -> bool {
        self.message.starts_with(NO_ACTIVE_ACTION)
    }

    /// No group has this name.
    #[must_use]
    pub fn no_group(name: &GroupName) -> Self {
        Self::validation(format!("AutoScalingGroup name not found - AutoScalingGroup {name} not found"))
    }

    /// The group has no hook of this name.
    #[must_use]
    pub fn no_hook(group: &GroupName, hook: &HookName) -> Self {
        Self::validation(format!("No Lifecycle Hook found with name {hook} for AutoScalingGroup {group}"))
    }

    /// No group holds this instance.
    #[must_use]
    pub fn not_managed(id: &InstanceId) -> Self {
        Self::validation(format!("Instance Id not found - No managed instance found for instance ID: {id}"))
    }

    /// EC2 does not know the instance, or no longer does.
    #[must_use]
    pub fn unknown_instances(ids: &[InstanceId]) -> Self {
        let list = ids.iter().map(InstanceId::as_str).collect::<Vec<_>>().join(", ");
        let message = match ids.len() {
            1 => format!("The instance ID '{list}' does not exist"),
            _ => format!("The instance IDs '{list}' do not exist"),
        };
        Self::new("InvalidInstanceID.NotFound", message)
    }
}
