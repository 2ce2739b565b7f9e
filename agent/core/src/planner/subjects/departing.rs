//! How much time a leaver has, and whether it is the last voter.

use std::time::Duration;

use crate::charter::ListedVoter;
use crate::explain::leaving::{self, Awaited};
use crate::observation::{Member, Membership, Transition};
use crate::report::Phase;
use crate::situation::{Departure, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::hooks;

/// It stopped its etcd as the last voter, and its instance is leaving. One that is retained after all serves again: nothing takes its data away.
pub(in crate::planner) fn has_stopped_as_last_voter(s: &Situation<'_>) -> bool {
    s.memory.ending.is_stopped() && s.departure().is_some_and(|d| d.instance_goes && !is_overdue(s, &d))
}

/// It was to be taken some time ago and still runs. EC2 does not always do what it announces, and no data is ended for nothing.
pub(in crate::planner) fn is_overdue(s: &Situation<'_>, departure: &Departure) -> bool {
    !departure.held_up && departure.deadline.is_some_and(|deadline| s.now >= deadline + s.policy.unhooked_leave)
}

pub(in crate::planner) fn waits(departure: &Departure, awaited: Awaited) -> Decision {
    Decision::wait(Phase::Leaving, leaving::awaits(&departure.why, awaited)).until(departure.deadline)
}

/// This node is a voter and all the others are gone: no node will remove its member, and the cluster's data ends with its own.
pub(in crate::planner) fn other_voters_are_gone(s: &Situation<'_>) -> bool {
    let alone = |members: &Vec<Member>| {
        let own: Vec<_> = s.own_entries(members).filter(|m| !m.learner).map(|m| m.id).collect();
        !own.is_empty() && members.iter().all(|m| m.learner || own.contains(&m.id) || s.member_is_gone(m))
    };
    if let Some(membership) = s.membership() {
        return alone(&membership.members);
    }
    // Its own list may be behind, and so may the record: neither may name a voter that is left.
    let by_list = s.seen.etcd.local_list.fresh().map(alone);
    let is_over = |v: &ListedVoter| v.instance == *s.me() || s.voter_is_gone(v);
    let by_record = s.last_record().map(|r| r.lists(s.me()) && r.voters.iter().all(is_over));
    (by_list.is_some() || by_record.is_some()) && by_list != Some(false) && by_record != Some(false)
}

/// More time than `reserve` is left.
pub(in crate::planner) fn has_time(s: &Situation<'_>, departure: &Departure, reserve: Duration) -> bool {
    departure.deadline.is_none_or(|deadline| s.now + reserve < deadline)
}

/// The time reserved for the leave itself, which takes seconds: some margins, but at most half of a short hook's own time. The hook's heartbeats
/// never extend its time beyond that, so a longer reserve would never be left.
pub(in crate::planner) fn reserve(s: &Situation<'_>) -> Duration {
    let margins = s.policy.leave_margin * MARGINS_TO_LEAVE;
    hooks::open(s, Transition::Terminating).map(|h| h.heartbeat_timeout / 2).min().map_or(margins, |half| half.min(margins))
}

const MARGINS_TO_LEAVE: u32 = 3;

/// Whether a learner is worth waiting for. One that follows is waited for to the last moment, because its promotion takes a second. If only its agent
/// answers, it is waited for while there is time for the rest.
pub(in crate::planner) fn has_heir(s: &Situation<'_>, departure: &Departure) -> bool {
    let Some(learner) = s.membership().and_then(Membership::learner) else { return false };
    let follows = s.is_healthy(learner.id) && has_time(s, departure, s.policy.leave_margin);
    let comes = || s.instance_of(learner).is_some_and(|id| s.peer(&id).is_some_and(|p| !p.leaving));
    follows || (has_time(s, departure, reserve(s)) && comes())
}

/// The cluster ends with this instance, and no replacement is wanted.
pub(in crate::planner) fn ends_here(s: &Situation<'_>, departure: &Departure) -> bool {
    departure.instance_goes && !is_overdue(s, departure) && other_voters_are_gone(s) && !is_replaced(s)
}

/// The group wants voters, or does not say that it wants none.
pub(in crate::planner) fn is_replaced(s: &Situation<'_>) -> bool {
    s.wanted_voters().is_none_or(|wanted| wanted > 0)
}
