//! Entries of etcd's list that keep others out: members that are nobody's of this cluster, and one whose volume was moved.

use crate::ids::{InstanceId, MemberId};
use crate::observation::{Member, Membership};
use crate::situation::Situation;

use crate::planner::decision::Decision;

/// A voter whose instance is at another address than etcd lists: whoever joined now could not reach it.
pub(in crate::planner) fn not_at_its_address(s: &Situation<'_>, membership: &Membership) -> Option<(MemberId, InstanceId)> {
    membership.voters().find_map(|member| {
        let instance = member.name.clone()?;
        let address = s.memory.kept.seen.get(&instance)?.address?;
        (member.peer_url != s.seen.me.role.peer_url(address)).then_some((member.id, instance))
    })
}

/// A joiner has to name every member's address to its etcd, and a stranger's is never taken.
pub(in crate::planner) fn in_the_way(stranger: &Member) -> String {
    format!("waits until {} is gone from etcd's list; {}", named(stranger), remedy(stranger))
}

/// What is at rest says that there is one, and calls an operator.
pub(in crate::planner) fn noted(s: &Situation<'_>, decision: Decision) -> Decision {
    let Some(stranger) = s.membership().and_then(|m| m.strangers().next()) else { return decision };
    let vote = if stranger.learner { "counts for nothing" } else { "counts as a voter that does not answer" };
    let says = format!("{}; {} is no instance's of this cluster: it {vote}; {}", decision.says, named(stranger), remedy(stranger));
    Decision { says: says.into(), needs_operator: true, ..decision }
}

fn named(stranger: &Member) -> String {
    format!("member {stranger}")
}

fn remedy(stranger: &Member) -> String {
    format!("`etcdctl member remove {}` removes it", stranger.id)
}
