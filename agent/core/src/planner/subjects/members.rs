//! Entries of etcd's list that keep others out: members that belong to no node of this cluster, and one whose volume was moved.

use crate::explain::joining;
use crate::ids::{InstanceId, MemberId};
use crate::observation::Membership;
use crate::situation::Situation;

use crate::planner::decision::Decision;

/// A voter whose instance is at another address than etcd lists: a node that joined now could not reach it.
pub(in crate::planner) fn not_at_its_address(s: &Situation<'_>, membership: &Membership) -> Option<(MemberId, InstanceId)> {
    membership.voters().find_map(|member| {
        let instance = member.name.clone()?;
        let address = s.memory.kept.seen.get(&instance)?.address?;
        (member.peer_url != s.seen.me.role.peer_url(address)).then_some((member.id, instance))
    })
}

/// Adds to a decision at rest that there is a stranger, and calls an operator.
pub(in crate::planner) fn noted(s: &Situation<'_>, decision: Decision) -> Decision {
    let Some(stranger) = s.membership().and_then(|m| m.strangers().next()) else { return decision };
    let message = joining::stranger_is_listed(&decision.message, stranger);
    Decision { message, needs_operator: true, ..decision }
}
