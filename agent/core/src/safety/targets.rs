//! Taking the instance out of a load balancer: only where the operator said so, and only when the instance itself goes.

use crate::ids::TargetGroupArn;

use super::facts::Facts;
use super::{Verdict, notices, require};

pub(super) fn deregister(f: &Facts<'_>, group: &TargetGroupArn) -> Verdict {
    require(f.policy.target_groups.contains(group), "that target group is not configured")?;
    require(f.memory.leaving.is_some() && notices::instance_goes(f), "its instance does not go")?;
    require(f.memory.deregistrations.get(group).is_none_or(|before| !before.accepted), "it was deregistered there already")
}
