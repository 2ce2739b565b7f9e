//! Keeping the charter true.

use crate::explain::changing::Reconciles;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, learner};

/// Keeps the charter's list equal to etcd's voters plus the learner being promoted, whatever caused a difference; done by the agent beside the leader.
pub(in crate::planner) fn reconcile(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let membership = s.membership()?;
    let promoted = learner::ready_learner(s).map(|l| l.id);
    let next = change::with_voters(s, change::voters_and(s, membership, promoted))?;
    Some(change::write(s, Phase::Voter, next, Reconciles::Difference))
}
