//! Tables that are a part of others: the leader's duties, founding, and recovering.

use crate::memory::Order;
use crate::situation::Situation;

use super::decision::Decision;
use super::rules::{self, learner, node, ordered, prune, snapshots};
use super::subjects::orders;

/// What the agent beside the leader does for the others, whatever happens to its own node.
const LEADER_DUTIES: &[fn(&Situation<'_>) -> Option<Decision>] = &[
    prune::departed_voter,
    learner::stuck_learner,
    rules::charter::reconcile,
    prune::departed_voter_is_needed,
    learner::promote,
    prune::hooks_of_the_dead,
    node::nodes_of_the_dead,
    snapshots::due,
];

/// Founding a generation: the claim, the one-member start, and `established`.
const FOUNDING: &[fn(&Situation<'_>) -> Option<Decision>] = &[
    rules::found::found_what_i_claimed,
    orders::forget_order,
    rules::found::open_to_clients,
    ordered::snapshot,
    rules::found::claim,
    rules::found::wait_for_founder,
];

/// Quorum lost for good, and total loss.
const RECOVERING: &[fn(&Situation<'_>) -> Option<Decision>] = &[
    rules::recover::restore_what_i_claimed,
    rules::recover::drop_superseded,
    ordered::survivor,
    rules::recover::quorum_lost,
    rules::recover::lost_and_mute,
    rules::recover::total_loss,
];

/// The rule `found`.
pub(super) fn found(s: &Situation<'_>) -> Option<Decision> {
    FOUNDING.iter().find_map(|rule| rule(s))
}

/// The rule `recover`. An order to start fresh, or from a snapshot, is carried out by the rule `found`.
pub(super) fn recover(s: &Situation<'_>) -> Option<Decision> {
    if s.order() == Some(Order::RecoverFresh) || orders::snapshot_wanted(s).is_some() {
        return None;
    }
    RECOVERING.iter().find_map(|rule| rule(s))
}

/// The first of the leader's duties that is a step now, not a wait.
pub(super) fn leader_duty(s: &Situation<'_>) -> Option<Decision> {
    LEADER_DUTIES.iter().filter_map(|duty| duty(s)).find(|decision| decision.step.is_some())
}
