//! A charter that cannot be trusted, or that lacks a record.

use crate::charter::Record;
use crate::memory::{BackoffKey, Order};
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::{Charter, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{loss, phase};

/// A charter that cannot be trusted stops everything but leaving.
pub(in crate::planner) fn broken(s: &Situation<'_>) -> Option<Decision> {
    match &s.charter {
        Charter::Foreign(why) => Some(Decision::halt(Phase::Halted, why.clone())),
        Charter::Broken(_) if s.order() == Some(Order::RecoverFresh) => None,
        Charter::Broken(why) => Some(Decision::halt(Phase::Halted, why.clone())),
        _ => None,
    }
}

/// Rewrites the remembered record that vanished from the store; a node with data only after a quorum read.
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
    let says = format!("writes {record} again, which vanished from the store");
    Some(Decision::act(phase::phase_of_member(s), Step::CreateRecord((*record).clone()), says))
}

/// A quorum read is waited for; where none can come any more, only an operator helps, because a recovery rests on the charter too.
fn no_quorum_to_rewrite(s: &Situation<'_>, record: &Record) -> Decision {
    let phase = phase::phase_of_member(s);
    let halt = |why: &str| {
        let says = format!(
            "{record} vanished from the store, and {why}, so nobody writes it again or recovers by itself. `quorate recover` shows what is known"
        );
        Decision::halt(phase, says)
    };
    if s.memory.quorum.lost_since.is_some() || loss::too_few_are_left(s, record) {
        return halt("quorum is lost for good");
    }
    if s.for_how_long(s.memory.quorum.absent_since) >= s.policy.quorum_loss_grace {
        return halt("no quorum has answered for long");
    }
    let says = format!("{record} vanished from the store; waits for a quorum read before it is written again");
    let wait = Decision::wait(phase, says).again_in(s.policy.retry);
    if s.is_stopped() { Decision { needs_operator: true, ..wait } } else { wait }
}
