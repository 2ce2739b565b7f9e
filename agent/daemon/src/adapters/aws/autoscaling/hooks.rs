//! Converts the API's lifecycle hooks to ours.

use std::time::Duration;

use aws_sdk_autoscaling::types::LifecycleHook;
use quorate_core::ids::{GroupName, HookName};
use quorate_core::observation::{Hook, HookRef, Transition};

use super::HookPattern;

/// The API's own default.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(3600);
/// No action stays open longer, whatever its heartbeats: <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html>.
const LONGEST: Duration = Duration::from_secs(48 * 3600);

/// A hook as the group has it, ours or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundHook {
    /// Its name.
    pub name: String,
    /// What it guards; `None` is a transition that we do not know.
    pub transition: Option<Transition>,
    /// How long an action may go without a heartbeat.
    pub heartbeat_timeout: Duration,
    /// How long an action stays open at most, whatever its heartbeats.
    pub global_timeout: Duration,
    /// What happens to an action that times out: `CONTINUE` or `ABANDON`, the API's own default.
    pub default_result: String,
}

/// Every hook, for `quorate check`.
pub(super) fn all(found: &[LifecycleHook]) -> Vec<FoundHook> {
    let read = |found: &LifecycleHook| {
        let heartbeat_timeout = seconds(found.heartbeat_timeout()).unwrap_or(HEARTBEAT_TIMEOUT);
        FoundHook {
            name: found.lifecycle_hook_name().unwrap_or_default().to_owned(),
            transition: transition(found.lifecycle_transition()),
            heartbeat_timeout,
            global_timeout: seconds(found.global_timeout()).unwrap_or_else(|| longest(heartbeat_timeout)),
            default_result: found.default_result().unwrap_or("ABANDON").to_owned(),
        }
    };
    found.iter().map(read).collect()
}

/// The hooks whose name is ours. One that guards an unknown transition is left alone and reported in the journal.
///
/// # Errors
/// A hook has no name; the end of a sentence that begins with "an answer".
pub(super) fn ours(group: &GroupName, found: &[LifecycleHook], pattern: &HookPattern) -> Result<Vec<Hook>, String> {
    let mut hooks = Vec::new();
    for found in found {
        let name = found.lifecycle_hook_name().ok_or_else(|| format!("with a hook of {group} that has no name"))?;
        if !pattern.matches(name) {
            continue;
        }
        match transition(found.lifecycle_transition()) {
            Some(transition) => hooks.push(hook(HookRef { group: group.clone(), name: parsed(group, name)? }, transition, found)),
            None => {
                tracing::warn!(%group, hook = %parsed(group, name)?, transition = ?found.lifecycle_transition(), "left alone: unknown transition")
            }
        }
    }
    Ok(hooks)
}

fn parsed(group: &GroupName, name: &str) -> Result<HookName, String> {
    HookName::parse(name).map_err(|error| format!("with a hook of {group} that cannot be used: {error}"))
}

fn transition(text: Option<&str>) -> Option<Transition> {
    match text? {
        "autoscaling:EC2_INSTANCE_LAUNCHING" => Some(Transition::Launching),
        "autoscaling:EC2_INSTANCE_TERMINATING" => Some(Transition::Terminating),
        _ => None,
    }
}

fn hook(hook: HookRef, transition: Transition, found: &LifecycleHook) -> Hook {
    let heartbeat_timeout = seconds(found.heartbeat_timeout()).unwrap_or(HEARTBEAT_TIMEOUT);
    let global_timeout = seconds(found.global_timeout()).unwrap_or_else(|| longest(heartbeat_timeout));
    Hook { hook, transition, heartbeat_timeout, global_timeout }
}

fn longest(heartbeat_timeout: Duration) -> Duration {
    LONGEST.min(heartbeat_timeout * 100)
}

fn seconds(value: Option<i32>) -> Option<Duration> {
    u64::try_from(value?).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::builders::LifecycleHookBuilder;

    use super::*;

    fn named(name: &str) -> LifecycleHookBuilder {
        LifecycleHook::builder().lifecycle_hook_name(name).lifecycle_transition("autoscaling:EC2_INSTANCE_LAUNCHING")
    }

    fn of_group(found: &[LifecycleHook]) -> Vec<Hook> {
        ours(&GroupName::new("g"), found, &HookPattern::default()).unwrap()
    }

    #[test]
    fn hooks_of_others_are_left_out() {
        let hooks = of_group(&[named("quorate-launch").build(), named("lambda-launch").build(), named("my-quorate-launch").build()]);
        assert_eq!(hooks.iter().map(|hook| hook.hook.to_string()).collect::<Vec<_>>(), ["g/quorate-launch"]);
    }

    #[test]
    fn timeouts_come_from_the_api() {
        let hooks = of_group(&[named("quorate-a").heartbeat_timeout(120).global_timeout(9000).build()]);
        assert_eq!(hooks[0].heartbeat_timeout, Duration::from_secs(120));
        assert_eq!(hooks[0].global_timeout, Duration::from_secs(9000));
    }

    #[test]
    fn a_missing_cap_is_a_hundred_heartbeats_but_two_days_at_most() {
        let cap = |timeout| of_group(&[named("quorate-a").heartbeat_timeout(timeout).build()])[0].global_timeout;
        assert_eq!(cap(30), Duration::from_secs(3000));
        assert_eq!(cap(7200), LONGEST);
    }

    #[test]
    fn a_missing_or_senseless_timeout_is_the_apis_default() {
        for hook in [named("quorate-a").build(), named("quorate-a").heartbeat_timeout(0).build()] {
            assert_eq!(of_group(&[hook])[0].heartbeat_timeout, HEARTBEAT_TIMEOUT);
        }
    }

    #[test]
    fn a_hook_for_an_unknown_transition_is_left_alone() {
        let hook =
            LifecycleHook::builder().lifecycle_hook_name("quorate-x").lifecycle_transition("autoscaling:EC2_INSTANCE_DANCING").build();
        assert_eq!(of_group(&[hook]), []);
    }

    #[test]
    fn a_hook_without_a_name_spoils_the_answer() {
        assert!(ours(&GroupName::new("g"), &[LifecycleHook::builder().build()], &HookPattern::default()).is_err());
    }
}
