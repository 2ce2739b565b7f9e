//! Leaving, as tables: what a leaver does, in this order, and what it does while it waits.

use crate::explain::leaving as explain;
use crate::report::Phase;
use crate::situation::{Departure, Situation};

use super::decision::Decision;
use super::parts::{leader_duty, recover};
use super::rules::{admission, found, leave, serve};
use super::subjects::{charter, departing, disk, targets, version};

/// One row of the table.
struct Row {
    decide: fn(&Situation<'_>, &Departure) -> Option<Decision>,
    /// While it waits, nothing else is done.
    waits_alone: bool,
}

/// The rows for a member that the agent itself runs. The first that applies wins.
const MEMBER_LEAVES: &[Row] = &[
    Row { decide: leave::unknown_machine, waits_alone: true },
    Row { decide: leave::go_on_retiring, waits_alone: true },
    Row { decide: leave::has_left, waits_alone: true },
    Row { decide: go_on_founding, waits_alone: true },
    Row { decide: leave::out_of_time, waits_alone: false },
    Row { decide: leave::leave_cluster, waits_alone: false },
];

/// The rows for a distribution's server.
const SERVER_LEAVES: &[Row] = &[
    Row { decide: leave::unknown_machine, waits_alone: true },
    Row { decide: leave::go_on_retiring, waits_alone: true },
    Row { decide: leave::delete_node, waits_alone: true },
    Row { decide: leave::has_left, waits_alone: true },
    Row { decide: go_on_founding, waits_alone: true },
    Row { decide: leave::stop_joining, waits_alone: true },
    Row { decide: leave::out_of_time, waits_alone: false },
    Row { decide: leave::drain, waits_alone: false },
    Row { decide: leave::leave_cluster, waits_alone: false },
];

/// What a leaver does while it waits, because its leave may depend on it: recovering, putting aside what never was a member's data, and running
/// its own etcd.
const KEEPING_ALIVE: &[fn(&Situation<'_>) -> Option<Decision>] = &[charter::rewrite_vanished, recover, disk::superseded, serve::resume];

/// What only an operator can fix, which a leaver reports too: that data may be lost.
const LOST: &[fn(&Situation<'_>) -> Option<Decision>] = &[charter::broken, recover];

/// The same: that its etcd does not come up or finds no quorum.
const AWAITING: &[fn(&Situation<'_>) -> Option<Decision>] = &[charter::rewrite_vanished, serve::resume, serve::idle];

/// The rule `leave` for a member that the agent itself runs.
pub(super) fn of_member(s: &Situation<'_>) -> Option<Decision> {
    decide(s, MEMBER_LEAVES)
}

/// The rule `leave` for a distribution's server.
pub(super) fn of_server(s: &Situation<'_>) -> Option<Decision> {
    decide(s, SERVER_LEAVES)
}

fn decide(s: &Situation<'_>, rows: &[Row]) -> Option<Decision> {
    let departure = s.departure()?;
    let found = rows.iter().find_map(|row| (row.decide)(s, &departure).map(|decision| (row.waits_alone, decision)));
    let (waits_alone, decision) = found?;
    if decision.step.is_some() || waits_alone {
        return Some(decision);
    }
    let meanwhile = meanwhile(s, &departure).map(|d| Decision { phase: Phase::Leaving, ..d });
    Some(meanwhile.unwrap_or_else(|| targets::meanwhile(s, &departure, mark_if_lost(s, decision))))
}

/// The leader's duties of a leaver that leads. No other node prunes and promotes, so its wait would never end unless it does so itself.
fn meanwhile(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    leader_duty(s).or_else(|| keep_alive(s, departure)).or_else(|| admission::admit(s))
}

/// A generation is ended only once it is established: until then no other node may hold it or take it over.
fn go_on_founding(s: &Situation<'_>, _: &Departure) -> Option<Decision> {
    s.data()?;
    let founding = found::found_what_i_claimed(s).or_else(|| found::open_to_clients(s))?;
    let goes_on = founding.step.is_some() && !departing::has_stopped_as_last_voter(s);
    goes_on.then_some(Decision { phase: Phase::Leaving, ..founding })
}

fn keep_alive(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    if departing::has_stopped_as_last_voter(s) || departing::ends_here(s, departure) {
        return None;
    }
    // A start that fails must not block the rest.
    let passes = |d: &Decision| d.step.as_ref().is_some_and(|step| version::lets_pass(s, step));
    KEEPING_ALIVE.iter().filter_map(|rule| rule(s)).find(passes)
}

/// What only an operator can fix; a leaver reports it loudly too.
fn mark_if_lost(s: &Situation<'_>, decision: Decision) -> Decision {
    let lost = LOST.iter().find_map(|rule| rule(s));
    // A last voter that has stopped its etcd no longer waits for a quorum.
    let awaiting = AWAITING.iter().filter(|_| !departing::has_stopped_as_last_voter(s));
    let awaiting = || awaiting.filter_map(|rule| rule(s)).map(|d| version::guard(s, d)).find(|d| d.needs_operator);
    match lost.or_else(awaiting) {
        Some(also) => {
            let needs_operator = also.needs_operator || decision.needs_operator;
            let message = explain::lost_too(&decision.message, &also.message);
            Decision { needs_operator, message, ..decision }
        }
        None => decision,
    }
}
