//! STS: who a caller is. The only service whose signatures are verified.

use super::endpoint::request_id;
use super::session::{Answer, Session};
use super::xml::Xml;
use crate::region::{ApiError, SignedRequest};

/// The version that tells this service apart.
pub(super) const VERSION: &str = "2011-06-15";

/// Of its answers.
pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Calls that this service knows.
pub(super) fn call(session: &mut Session<'_>, action: &str, request: &SignedRequest<'_>) -> Answer {
    match action {
        "GetCallerIdentity" => get_caller_identity(session, request),
        _ => Err(ApiError::new("InvalidAction", format!("Could not find operation {action} for version {VERSION}"))),
    }
}

fn get_caller_identity(session: &mut Session<'_>, request: &SignedRequest<'_>) -> Answer {
    let caller = session.api().get_caller_identity(request)?;
    Ok(Xml::document("GetCallerIdentityResponse", NAMESPACE, |xml| {
        xml.node("GetCallerIdentityResult", |xml| {
            xml.leaf("Arn", &caller.arn).leaf("UserId", &caller.user_id).leaf("Account", &caller.account);
        });
        xml.node("ResponseMetadata", |xml| request_id(xml, "RequestId"));
    }))
}
