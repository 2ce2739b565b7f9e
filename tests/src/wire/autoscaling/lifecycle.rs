//! Hooks and their actions.

use quorate_core::ids::HookName;

use super::document;
use crate::region::{ActionResult, ApiError};
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
        });
    }))
}

pub(super) fn heartbeat(session: &mut Session<'_>) -> Answer {
    let (group, name, id) = (session.group()?, hook(session)?, session.instance()?);
    session.api().heartbeat(&group, &name, &id)?;
    Ok(document("RecordLifecycleActionHeartbeat", |_| {}))
}

pub(super) fn complete(session: &mut Session<'_>) -> Answer {
    let (group, name, id) = (session.group()?, hook(session)?, session.instance()?);
    let result = word(session.query.required("LifecycleActionResult")?, ActionResult::parse)?;
    session.api().complete(&group, &name, &id, result)?;
    Ok(document("CompleteLifecycleAction", |_| {}))
}

fn hook(session: &Session<'_>) -> Result<HookName, ApiError> {
    session.query.required("LifecycleHookName").map(HookName::new)
}

fn word<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, ApiError> {
    parse(text).ok_or_else(|| ApiError::validation(format!("Invalid value: {text}")))
}
