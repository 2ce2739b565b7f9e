//! What this node's member is, in reports.

use crate::charter::State;
use crate::explain::serving;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;

/// What this node's member is, for reports.
pub(in crate::planner) fn phase_of_member(s: &Situation<'_>) -> Phase {
    match s.my_member() {
        _ if !s.ways().has_member => {
            if s.memory.servers.api_answered.is_some() {
                Phase::Worker
            } else {
                Phase::Joining
            }
        }
        Some(member) if member.learner => Phase::Learner,
        Some(_) => Phase::Voter,
        None if s.record().is_some_and(|r| r.founder() == Some(s.me())) => Phase::Founding,
        None if s.data().is_some() && s.last_record().is_some_and(|r| r.lists(s.me())) => Phase::Voter,
        None if s.record().is_some_and(|r| r.state == State::Established) => Phase::Joining,
        None => Phase::Waiting,
    }
}

/// Adds what is known of this instance's future even where it changes nothing.
pub(in crate::planner) fn with_remarks(s: &Situation<'_>, decision: Decision) -> Decision {
    let remarks = s.remarks();
    if remarks.is_empty() {
        return decision;
    }
    let message = serving::remarked(&decision.message, &remarks);
    decision.told(message)
}
