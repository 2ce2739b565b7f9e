//! Taking the instance out of a load balancer: only where the operator said so, and only when the instance itself goes.

use crate::ids::TargetGroupArn;

use super::facts::Facts;
use super::notices;
use super::verdict::{Verdict, require};

pub(super) fn deregister(f: &Facts<'_>, group: &TargetGroupArn) -> Verdict {
    require(f.policy.target_groups.contains(group), "that target group is not configured")?;
    require(notices::is_told_to_leave(f) && notices::instance_goes(f), "its instance does not go")?;
    let known = f.memory.leaving.as_ref().and_then(|leave| leave.deregistrations.get(group));
    require(known.is_none_or(|before| !before.accepted), "it was deregistered there already")
}
