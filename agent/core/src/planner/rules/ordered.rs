//! What an operator orders where policy does nothing on its own: to continue from this node's own data, or from a snapshot.
//!
//! An order is never carried out beside a quorum that lives or may come back, nor past an instance that is silent and not gone: it chooses what is kept,
//! not what is true.

use std::fmt::Display;

use crate::charter::{Origin, Record, State};
use crate::explain::ordered::{self as explain, obstacle};
use crate::explain::recovering;
use crate::memory::BackoffKey;
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::restore::Restorable;
use crate::planner::subjects::{loss, objection, orders, restore};

/// Why the ordered snapshot is not claimed yet. Where nothing stands in the way, the rule that claims takes over.
pub(in crate::planner) fn snapshot(s: &Situation<'_>) -> Option<Decision> {
    orders::snapshot_wanted(s)?;
    let halt = |why: String| Some(Decision::halt(Phase::Halted, explain::does_not_restore(&why)));
    let Some(record) = s.record() else { return halt(obstacle::charter_was_not_read()) };
    match restore::restorable(s) {
        Restorable::From(_) => None,
        Restorable::Waits(wait) => Some(Decision::wait(Phase::Recovering, wait).again_in(s.policy.retry)),
        Restorable::Halts(why) => halt(why),
        Restorable::No => match record.founder() {
            Some(founder) if founder == s.me() => None,
            Some(founder) => halt(obstacle::another_has_claimed(founder, record)),
            None => halt(obstacle::nothing_was_lost(record)),
        },
    }
}

/// Continues from this node's own data by an operator's order.
pub(in crate::planner) fn survivor(s: &Situation<'_>) -> Option<Decision> {
    let although_they_differ = orders::survivor_wanted(s)?;
    let record = s.record().filter(|_| s.membership().is_none())?;
    if record.founder() == Some(s.me()) && s.data_generation() == Some(record.generation) {
        return None;
    }
    // A quorum that another node sees makes the order void.
    if record.state == State::Established && s.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some()) {
        return orders::forget_order(s);
    }
    let halt = |why: &dyn Display| Decision::halt(Phase::Recovering, explain::does_not_go_on(why));
    if let Err(why) = may_go_on(s, record, although_they_differ) {
        return Some(halt(&why));
    }
    if let Some(objection) = objection::dissenter(s, record, None) {
        return Some(halt(&objection));
    }
    if let Some(cut_out) = loss::is_cut_out(s) {
        return Some(cut_out);
    }
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Some(Decision::wait(Phase::Recovering, recovering::store_refused_claim()).again_in(s.policy.retry));
    }
    Some(claim(s, record))
}

fn claim(s: &Situation<'_>, record: &Record) -> Decision {
    let next = loss::claim_of_survivor(s, record);
    let message = explain::claims_recovery(next.generation, loss::applied(s, s.me()));
    Decision::act(Phase::Recovering, Step::CreateRecord(next), message)
}

/// Whether a new generation may continue from this node's data.
fn may_go_on(s: &Situation<'_>, record: &Record, although_they_differ: bool) -> Result<(), String> {
    let mine = record.founder() == Some(s.me()) && matches!(record.origin, Origin::Survivor { .. } | Origin::Snapshot { .. });
    if !mine && !loss::is_open(s, record) {
        return Err(obstacle::claim_stands(record.founder(), record));
    }
    let data = s.data().filter(|d| d.generation.is_some() && d.generation == record.ever_established);
    let Some(mine) = data.and_then(|d| d.member) else {
        return Err(obstacle::holds_no_such_data());
    };
    if !record.voters.iter().any(|v| v.instance == *s.me() && v.member == mine) {
        return Err(obstacle::never_voted(mine));
    }
    if s.status(mine).is_some_and(|status| status.leader.is_some()) {
        return Err(obstacle::leader_is_known());
    }
    if !loss::too_few_are_left(s, record) {
        return Err(orders::who_is_left(s, record));
    }
    match loss::own_voters(s) {
        Some(own) if own != loss::charter_voters(record) && !although_they_differ => {
            Err(obstacle::voters_differ(&own, &loss::charter_voters(record)))
        }
        Some(_) if !loss::own_list_is_lost(s, mine) => Err(obstacle::own_list_has_quorum()),
        Some(_) | None => Ok(()),
    }
}
