//! Entries of etcd's list that keep others out: members that belong to no node of this cluster, and one whose volume was moved.

use crate::explain::{joining, serving};
use crate::ids::{InstanceId, MemberId};
use crate::observation::{Alarm, Membership};
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

/// Adds to a decision at rest what is wrong with the cluster and only an operator can fix: a stranger in etcd's list, and etcd's own alarms.
pub(in crate::planner) fn noted(s: &Situation<'_>, decision: Decision) -> Decision {
    let stranger = s.membership().and_then(|m| m.strangers().next()).map(joining::stranger_is_listed);
    let corrupt = s.has_alarm(Alarm::Corrupt).then(serving::data_differs);
    let no_space = s.has_alarm(Alarm::NoSpace).then(serving::is_out_of_space);
    stranger.into_iter().chain(corrupt).chain(no_space).fold(decision, |decision, trouble| {
        let message = serving::troubled(&decision.message, &trouble);
        Decision { message, needs_operator: true, ..decision }
    })
}
