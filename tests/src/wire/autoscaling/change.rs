//! Sizes, terminations, health, processes, standby.

use quorate_core::ids::InstanceId;

use super::describe::describe_activity;
use super::document;
use crate::region::{Activity, ApiError, Health, Process, Region};
use crate::wire::session::{Answer, Session};
use crate::wire::xml::Xml;

pub(super) fn desired(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    let desired = required_number(session, "DesiredCapacity")?;
    session.api().set_desired_capacity(&group, desired)?;
    Ok(document("SetDesiredCapacity", |_| {}))
}

pub(super) fn sizes(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    let (min, max) = (session.query.number("MinSize")?, session.query.number("MaxSize")?);
    let desired = session.query.number("DesiredCapacity")?;
    let policy = retention(session)?;
    session.api().update_group(&group, min, max, desired)?;
    if let Some(retain) = policy {
        session.api().set_retention(&group, retain)?;
    }
    Ok(document("UpdateAutoScalingGroup", |_| {}))
}

/// The instance lifecycle policy, if one is given.
fn retention(session: &Session<'_>) -> Result<Option<bool>, ApiError> {
    let Some(text) = session.query.text("InstanceLifecyclePolicy.RetentionTriggers.TerminateHookAbandon") else { return Ok(None) };
    match text {
        "retain" => Ok(Some(true)),
        "terminate" => Ok(Some(false)),
        _ => Err(ApiError::validation(format!("Invalid value for TerminateHookAbandon: {text}"))),
    }
}

/// One instance by its id, or up to a hundred of one group.
pub(super) fn terminate(session: &mut Session<'_>) -> Answer {
    let (several, decrement) = (session.instances("InstanceIds.member"), decrement(session)?);
    if !several.is_empty() {
        let group = session.group()?;
        session.api().terminate_several(&group, &several, decrement)?;
        let region = &*session.region;
        return Ok(document("TerminateInstanceInAutoScalingGroup", |xml| {
            xml.list("Activities", "member", &several, |xml, id| latest_activity(xml, region, id));
        }));
    }
    let id = session.instance()?;
    session.api().terminate_in_group(&id, decrement)?;
    let region = &*session.region;
    Ok(document("TerminateInstanceInAutoScalingGroup", |xml| {
        xml.node("Activity", |xml| latest_activity(xml, region, &id));
    }))
}

fn latest_activity(xml: &mut Xml, region: &Region, id: &InstanceId) {
    let Some(group) = region.instance(id).map(|instance| region.group_of(instance)) else { return };
    let of_it = |(_, activity): &(usize, &Activity)| !activity.launch && activity.instance.as_ref() == Some(id);
    if let Some((number, activity)) = group.activities.iter().enumerate().rfind(of_it) {
        describe_activity(xml, &group.name, number, activity);
    }
}

pub(super) fn health(session: &mut Session<'_>) -> Answer {
    let id = session.instance()?;
    let text = session.query.required("HealthStatus")?;
    let health = match text {
        "Healthy" => Health::Healthy,
        "Unhealthy" => Health::Unhealthy,
        _ => return Err(ApiError::validation(format!("Valid instance health states are: [Healthy, Unhealthy]. Value given: {text}"))),
    };
    session.api().set_instance_health(&id, health)?;
    Ok(document("SetInstanceHealth", |_| {}))
}

pub(super) fn suspend(session: &mut Session<'_>) -> Answer {
    let (group, processes) = (session.group()?, processes(session));
    session.api().suspend_processes(&group, &processes)?;
    Ok(document("SuspendProcesses", |_| {}))
}

pub(super) fn resume(session: &mut Session<'_>) -> Answer {
    let (group, processes) = (session.group()?, processes(session));
    session.api().resume_processes(&group, &processes)?;
    Ok(document("ResumeProcesses", |_| {}))
}

/// The processes named, or all. Those that the model does not have are accepted and do nothing.
fn processes(session: &Session<'_>) -> Vec<Process> {
    let named = session.query.list("ScalingProcesses.member");
    if named.is_empty() { Process::ALL.to_vec() } else { named.iter().filter_map(|name| Process::parse(name)).collect() }
}

pub(super) fn enter_standby(session: &mut Session<'_>) -> Answer {
    let decrement = decrement(session)?;
    for id in session.instances("InstanceIds.member") {
        session.api().enter_standby(&id, decrement)?;
    }
    Ok(document("EnterStandby", |_| {}))
}

pub(super) fn exit_standby(session: &mut Session<'_>) -> Answer {
    for id in session.instances("InstanceIds.member") {
        session.api().exit_standby(&id)?;
    }
    Ok(document("ExitStandby", |_| {}))
}

pub(super) fn detach(session: &mut Session<'_>) -> Answer {
    let decrement = decrement(session)?;
    for id in session.instances("InstanceIds.member") {
        session.api().detach(&id, decrement)?;
    }
    Ok(document("DetachInstances", |_| {}))
}

pub(super) fn attach(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    for id in session.instances("InstanceIds.member") {
        session.api().attach(&group, &id)?;
    }
    Ok(document("AttachInstances", |_| {}))
}

fn decrement(session: &Session<'_>) -> Result<bool, ApiError> {
    session.query.required("ShouldDecrementDesiredCapacity").map(|text| text == "true")
}

fn required_number(session: &Session<'_>, name: &str) -> Result<u32, ApiError> {
    session.query.required(name)?;
    session.query.number(name).map(Option::unwrap_or_default)
}
