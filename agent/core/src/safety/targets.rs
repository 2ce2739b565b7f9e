//! Taking the instance out of a load balancer: only where the operator configured it, and only when the instance itself is taken.

use crate::ids::TargetGroupArn;

use super::facts::Facts;
use super::notices;
use super::refusal::InstanceFault;
use super::verdict::{Verdict, require};

pub(super) fn deregister(f: &Facts<'_>, group: &TargetGroupArn) -> Verdict {
    require(f.policy.target_groups.contains(group), InstanceFault::NoTargetGroup(group.clone()))?;
    notices::leaves(f)?;
    require(notices::instance_goes(f), InstanceFault::RunsOn)?;
    let known = f.memory.leaving.as_ref().and_then(|leave| leave.deregistrations.get(group));
    require(known.is_none_or(|before| !before.accepted), InstanceFault::Deregistered(group.clone()))
}
