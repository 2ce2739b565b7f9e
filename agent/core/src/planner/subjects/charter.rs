//! A charter that cannot be trusted, or that lacks a record.

use crate::charter::Record;
use crate::explain::charter as explain;
use crate::memory::{BackoffKey, Order};
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::{Charter, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{loss, phase};

/// Halts on a charter that cannot be trusted, which stops everything except leaving.
pub(in crate::planner) fn broken(s: &Situation<'_>) -> Option<Decision> {
    match &s.charter {
        Charter::Foreign(why) => Some(Decision::halt(Phase::Halted, explain::is_foreign(why))),
        Charter::Broken(_) if s.order() == Some(Order::RecoverFresh) => None,
        Charter::Broken(why) => Some(Decision::halt(Phase::Halted, explain::is_broken(why))),
        _ => None,
    }
}

/// Rewrites the remembered record that vanished from the store. A node with data does so only after a quorum read.
pub(in crate::planner) fn rewrite_vanished(s: &Situation<'_>) -> Option<Decision> {
    let Charter::Vanished(record) = &s.charter else { return None };
    let proven = s.disk_is_empty() || s.membership().is_some_and(|m| record.etcd_cluster.is_none_or(|c| c == m.cluster));
    if s.order() == Some(Order::RecoverFresh) && s.membership().is_none() {
        return None;
    }
    if !proven {
        return Some(no_quorum_to_rewrite(s, record));
    }
    // A store that can be read but not written must not keep the leader from its other duties.
    if s.memory.waits(BackoffKey::Record, s.now) {
        return None;
    }
    Some(Decision::act(phase::phase_of_member(s), Step::CreateRecord((*record).clone()), explain::rewrites(record)))
}

/// The wait for a quorum read. Where none can come any longer only an operator helps, because a recovery depends on the charter too.
fn no_quorum_to_rewrite(s: &Situation<'_>, record: &Record) -> Decision {
    let phase = phase::phase_of_member(s);
    if s.memory.quorum.lost_since.is_some() || loss::too_few_are_left(s, record) {
        return Decision::halt(phase, explain::vanished_and_quorum_is_lost(record));
    }
    if s.for_how_long(s.memory.quorum.absent_since) >= s.policy.quorum_loss_grace {
        return Decision::halt(phase, explain::vanished_and_no_quorum_answers(record));
    }
    let wait = Decision::wait(phase, explain::vanished(record)).again_in(s.policy.retry);
    if s.is_stopped() { Decision { needs_operator: true, ..wait } } else { wait }
}
