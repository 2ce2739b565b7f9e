//! Members of etcd that are nobody's of this cluster: reported, never healthy company, never written down.

use crate::observation::Member;
use crate::situation::Situation;

use super::decision::Decision;

/// A joiner has to name every member's address to its etcd, and a stranger's is never taken.
pub(super) fn in_the_way(stranger: &Member) -> String {
    format!("waits until {} is gone from etcd's list; {}", named(stranger), remedy(stranger))
}

/// What is at rest says that there is one, and calls an operator.
pub(super) fn noted(s: &Situation<'_>, decision: Decision) -> Decision {
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
