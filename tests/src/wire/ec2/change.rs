//! What changes machines. `Force` changes nothing here: EC2 then, too, presses the power button first, and cuts the power when that takes too long.

use quorate_core::ids::InstanceId;

use super::{document, state, well_formed};
use crate::region::{ApiError, Ec2State};
use crate::wire::session::{Answer, Session};

pub(super) fn terminate(session: &mut Session<'_>) -> Answer {
    let skips = skips_shutdown(session);
    changed(session, "TerminateInstances", Ec2State::Terminated, |session, ids| match skips {
        true => session.api().terminate_at_once(ids),
        false => session.api().terminate_instances(ids),
    })
}

pub(super) fn stop(session: &mut Session<'_>) -> Answer {
    if session.query.flag("Hibernate") == Some(true) {
        return Err(ApiError::new("UnsupportedHibernationConfiguration", "The instances of this lab hibernate in warm pools alone."));
    }
    let skips = skips_shutdown(session);
    changed(session, "StopInstances", Ec2State::Stopped, |session, ids| session.api().stop_instances(ids, skips))
}

fn skips_shutdown(session: &Session<'_>) -> bool {
    session.query.flag("SkipOsShutdown") == Some(true)
}

fn changed(
    session: &mut Session<'_>,
    action: &str,
    end: Ec2State,
    change: impl FnOnce(&mut Session<'_>, &[InstanceId]) -> Result<(), ApiError>,
) -> Answer {
    let ids = well_formed(session.instances("InstanceId"))?;
    let before: Vec<_> = ids.iter().map(|id| session.region.instance(id).map(|instance| instance.ec2)).collect();
    change(session, &ids)?;
    let after = |id| session.region.instance(id).map(|instance| instance.ec2);
    Ok(document(action, |xml| {
        xml.list("instancesSet", "item", ids.iter().zip(before), |xml, (id, before)| {
            xml.leaf("instanceId", id);
            state(xml, "currentState", after(id).unwrap_or(end));
            state(xml, "previousState", before.unwrap_or(end));
        });
    }))
}

pub(super) fn reboot(session: &mut Session<'_>) -> Answer {
    let ids = well_formed(session.instances("InstanceId"))?;
    session.api().reboot_instances(&ids)?;
    Ok(document("RebootInstances", |xml| {
        xml.leaf("return", true);
    }))
}
