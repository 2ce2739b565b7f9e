//! Taking the instance out of a load balancer: only where the operator said so, and only when the instance itself goes.

use crate::ids::TargetGroupArn;

use super::facts::Facts;
use super::{Verdict, notices, require};

pub(super) fn deregister(f: &Facts<'_>, group: &TargetGroupArn) -> Verdict {
    require(f.policy.target_groups.contains(group), "that target group is not configured")?;
    let leave = f.memory.leaving.as_ref().filter(|_| notices::instance_goes(f)).ok_or("its instance does not go")?;
    require(leave.deregistrations.get(group).is_none_or(|before| !before.accepted), "it was deregistered there already")
}
