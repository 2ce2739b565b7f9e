//! Elastic Load Balancing, version 2: what an agent needs of it.

use quorate_core::ids::{InstanceId, TargetGroupArn};

use super::endpoint::request_id;
use super::session::{Answer, Session};
use super::xml::Xml;
use crate::region::ApiError;

/// The version that tells this service apart.
pub(super) const VERSION: &str = "2015-12-01";

/// Of its answers.
pub(super) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// Calls that this service knows.
pub(super) fn call(session: &mut Session<'_>, action: &str) -> Answer {
    match action {
        "DeregisterTargets" => deregister_targets(session),
        _ => Err(ApiError::new("InvalidAction", format!("Could not find operation {action} for version {VERSION}"))),
    }
}

fn deregister_targets(session: &mut Session<'_>) -> Answer {
    let group = TargetGroupArn::new(session.query.required("TargetGroupArn")?);
    let targets = targets(session)?;
    session.api().deregister_targets(&group, &targets)?;
    Ok(Xml::document("DeregisterTargetsResponse", NAMESPACE, |xml| {
        xml.node("DeregisterTargetsResult", |_| {});
        xml.node("ResponseMetadata", |xml| request_id(xml, "RequestId"));
    }))
}

/// `Targets.member.N.Id`, with `.Port` where it has one of its own; at least one is required.
fn targets(session: &Session<'_>) -> Result<Vec<(InstanceId, Option<u16>)>, ApiError> {
    session.query.required("Targets.member.1.Id")?;
    let ids = (1..).map_while(|number| session.query.text(&format!("Targets.member.{number}.Id")).map(|id| (number, id)));
    ids.map(|(number, id)| Ok((InstanceId::new(id), session.query.number(&format!("Targets.member.{number}.Port"))?))).collect()
}
