//! Auto Scaling: what is needed of it.

mod change;
mod describe;
mod lifecycle;
mod refresh;
mod warm_pool;

use super::endpoint::request_id;
use super::session::{Answer, Session};
use super::xml::Xml;
use crate::region::ApiError;

/// The version that tells this service apart.
pub(super) const VERSION: &str = "2011-01-01";

/// Of its answers.
pub(super) const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// Calls that this service knows.
pub(super) fn call(session: &mut Session<'_>, action: &str) -> Answer {
    let answer = match action {
        "DescribeAutoScalingGroups" => describe::groups,
        "DescribeAutoScalingInstances" => describe::instances,
        "DescribeTags" => describe::tags,
        "DescribeScalingActivities" => describe::activities,
        "DescribeLifecycleHooks" => lifecycle::hooks,
        "PutLifecycleHook" => lifecycle::put,
        "DeleteLifecycleHook" => lifecycle::delete,
        "RecordLifecycleActionHeartbeat" => lifecycle::heartbeat,
        "CompleteLifecycleAction" => lifecycle::complete,
        "SetDesiredCapacity" => change::desired,
        "UpdateAutoScalingGroup" => change::sizes,
        "TerminateInstanceInAutoScalingGroup" => change::terminate,
        "SetInstanceHealth" => change::health,
        "SuspendProcesses" => change::suspend,
        "ResumeProcesses" => change::resume,
        "PutWarmPool" => warm_pool::put,
        "DeleteWarmPool" => warm_pool::delete,
        "DescribeWarmPool" => warm_pool::describe,
        "EnterStandby" => change::enter_standby,
        "ExitStandby" => change::exit_standby,
        "DetachInstances" => change::detach,
        "AttachInstances" => change::attach,
        "StartInstanceRefresh" => refresh::start,
        "CancelInstanceRefresh" => refresh::cancel,
        "DescribeInstanceRefreshes" => refresh::describe,
        _ => return Err(ApiError::new("InvalidAction", format!("Could not find operation {action} for version {VERSION}"))),
    };
    answer(session)
}

fn document(action: &str, fill: impl FnOnce(&mut Xml)) -> String {
    Xml::document(&format!("{action}Response"), NAMESPACE, |xml| {
        xml.node(&format!("{action}Result"), fill);
        xml.node("ResponseMetadata", |xml| request_id(xml, "RequestId"));
    })
}

/// `MaxRecords`, within what the call allows.
fn page_size(session: &Session<'_>, default: usize, most: usize) -> Result<usize, ApiError> {
    let size = session.query.number::<usize>("MaxRecords")?.unwrap_or(default);
    if (1..=most).contains(&size) {
        return Ok(size);
    }
    Err(ApiError::validation(format!("The value of MaxRecords must be between 1 and {most}.")))
}
