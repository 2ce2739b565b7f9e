//! Sizes, terminations, health, processes, standby.

use super::describe::describe_activity;
use super::document;
use crate::region::{ApiError, Health, Process};
use crate::wire::session::{Answer, Session};

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
    session.api().update_group(&group, min, max, desired)?;
    Ok(document("UpdateAutoScalingGroup", |_| {}))
}

pub(super) fn terminate(session: &mut Session<'_>) -> Answer {
    let (id, decrement) = (session.instance()?, decrement(session)?);
    session.api().terminate_in_group(&id, decrement)?;
    let group = session.region.instance(&id).map(|instance| session.region.group_of(instance));
    Ok(document("TerminateInstanceInAutoScalingGroup", |xml| {
        let latest = group.and_then(|group| {
            let of_it = |(_, activity): &(usize, &crate::region::Activity)| !activity.launch && activity.instance.as_ref() == Some(&id);
            group.activities.iter().enumerate().rfind(of_it).map(|(number, activity)| (&group.name, number, activity))
        });
        if let Some((name, number, activity)) = latest {
            xml.node("Activity", |xml| describe_activity(xml, name, number, activity));
        }
    }))
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

fn decrement(session: &Session<'_>) -> Result<bool, ApiError> {
    session.query.required("ShouldDecrementDesiredCapacity").map(|text| text == "true")
}

fn required_number(session: &Session<'_>, name: &str) -> Result<u32, ApiError> {
    session.query.required(name)?;
    session.query.number(name).map(Option::unwrap_or_default)
}
