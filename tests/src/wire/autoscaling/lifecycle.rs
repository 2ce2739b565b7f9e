//! Hooks and their actions.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::ids::{HookName, InstanceId};

use super::document;
use crate::region::{ActionReference, ActionResult, ApiError, HookSpec, Transition};
use crate::wire::session::{Answer, Session};

pub(super) fn hooks(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    let names: Vec<_> = session.query.list("LifecycleHookNames.member").iter().map(|name| HookName::new(name)).collect();
    let hooks = session.api().describe_hooks(&group, &names)?;
    Ok(document("DescribeLifecycleHooks", |xml| {
        xml.list("LifecycleHooks", "member", &hooks, |xml, hook| {
            xml.leaf("LifecycleHookName", &hook.name).leaf("AutoScalingGroupName", &group);
            xml.leaf("LifecycleTransition", hook.transition).leaf("HeartbeatTimeout", hook.heartbeat_timeout.as_secs());
            xml.leaf("GlobalTimeout", hook.global_timeout().as_secs()).leaf("DefaultResult", hook.default_result);
            xml.maybe("NotificationMetadata", hook.metadata.as_ref());
        });
    }))
}

/// A parameter that is not given keeps its value, or its default in a new hook.
pub(super) fn put(session: &mut Session<'_>) -> Answer {
    let (group, name) = (session.group()?, hook(session)?);
    let known = session.region.group(&group).and_then(|group| group.hooks.iter().find(|hook| hook.name == name).cloned());
    let mut spec = match known {
        Some(known) => known,
        None => HookSpec::new(name.as_str(), word(session.query.required("LifecycleTransition")?, Transition::parse)?),
    };
    if let Some(seconds) = session.query.number("HeartbeatTimeout")? {
        spec.heartbeat_timeout = Duration::from_secs(seconds);
    }
    if let Some(result) = session.query.text("DefaultResult") {
        spec.default_result = word(result, ActionResult::parse)?;
    }
    if let Some(metadata) = session.query.text("NotificationMetadata") {
        spec.metadata = Some(Arc::from(metadata));
    }
    session.api().put_hook(&group, spec)?;
    Ok(document("PutLifecycleHook", |_| {}))
}

pub(super) fn delete(session: &mut Session<'_>) -> Answer {
    let (group, name) = (session.group()?, hook(session)?);
    session.api().delete_hook(&group, &name)?;
    Ok(document("DeleteLifecycleHook", |_| {}))
}

pub(super) fn heartbeat(session: &mut Session<'_>) -> Answer {
    let (group, name, reference) = (session.group()?, hook(session)?, reference(session)?);
    session.api().heartbeat(&group, &name, &reference)?;
    Ok(document("RecordLifecycleActionHeartbeat", |_| {}))
}

pub(super) fn complete(session: &mut Session<'_>) -> Answer {
    let (group, name, reference) = (session.group()?, hook(session)?, reference(session)?);
    let result = word(session.query.required("LifecycleActionResult")?, ActionResult::parse)?;
    session.api().complete(&group, &name, &reference, result)?;
    Ok(document("CompleteLifecycleAction", |_| {}))
}

fn hook(session: &Session<'_>) -> Result<HookName, ApiError> {
    session.query.required("LifecycleHookName").map(HookName::new)
}

/// The token if there is one, otherwise the instance; one of the two is required.
fn reference(session: &Session<'_>) -> Result<ActionReference, ApiError> {
    let token = session.query.text("LifecycleActionToken").map(|token| ActionReference::Token(token.to_owned()));
    let instance = || session.query.text("InstanceId").map(|id| ActionReference::Instance(InstanceId::new(id)));
    token.or_else(instance).ok_or_else(|| ApiError::validation("Either the lifecycle action token or the instance ID must be specified."))
}

fn word<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, ApiError> {
    parse(text).ok_or_else(|| ApiError::validation(format!("Invalid value: {text}")))
}
