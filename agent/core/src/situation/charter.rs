//! How the store and this node's memory of it fit together.

use std::borrow::Cow;

use crate::charter::{Log, Origin, Record, StoreView};
use crate::endpoint_directory::PLACE;
use crate::explain::charter::flaw;
use crate::memory::Memory;
use crate::observation::Observation;
use crate::snapshot::FOLDER;

/// How the store and this node's memory of it fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charter<'a> {
    /// The store could not be read; the remembered record, if any.
    Unreadable(Option<&'a Record>, Cow<'static, str>),
    /// No store is configured, and no node knows a record.
    NoStore,
    /// Nothing was ever written.
    Absent,
    /// The highest record, which continues everything remembered.
    Known(&'a Record),
    /// The remembered record is missing from the store, and the store's highest fits directly before it or after it.
    Vanished(&'a Record),
    /// It cannot be trusted: nothing relies on it until an operator has looked, or orders a fresh start.
    Broken(String),
    /// The store belongs to another cluster: nothing is ever written there.
    Foreign(String),
}

pub(super) fn charter<'a>(seen: &'a Observation, memory: &'a Memory) -> Charter<'a> {
    let remembered = memory.kept.record.as_ref();
    match &seen.store {
        reading if reading.fresh().is_none() => Charter::Unreadable(remembered, reading.why_not_fresh()),
        reading => match reading.fresh() {
            Some(StoreView::Charter(log)) => charter_in_store(log, remembered, seen),
            Some(StoreView::Foreign { example }) => Charter::Foreign(beside_no_charter(example.as_str())),
            Some(StoreView::NotConfigured) => remembered.map_or(Charter::NoStore, Charter::Known),
            Some(StoreView::Absent) | None => nothing_stored(remembered),
        },
    }
}

/// What an operator can do where objects lie without a charter.
fn beside_no_charter(example: &str) -> String {
    // Generations are numbers with leading zeros.
    let is_ours = example.contains(&format!("{FOLDER}/0")) || example.ends_with(PLACE);
    if is_ours { flaw::snapshots_without_charter(example) } else { flaw::foreign_objects(example) }
}

fn nothing_stored(remembered: Option<&Record>) -> Charter<'_> {
    match remembered {
        None => Charter::Absent,
        Some(record) if record.number == 1 => Charter::Vanished(record),
        Some(record) => Charter::Broken(flaw::gone(record)),
    }
}

fn charter_in_store<'a>(log: &'a Log, remembered: Option<&'a Record>, seen: &Observation) -> Charter<'a> {
    let Some(highest) = log.highest() else { return nothing_stored(remembered) };
    if !highest.belongs_to(&seen.me) {
        return Charter::Foreign(flaw::of_another_cluster(highest));
    }
    let Some(remembered) = remembered else {
        return if log.is_chain() { Charter::Known(highest) } else { Charter::Broken(flaw::records_do_not_follow()) };
    };
    match log.number(remembered.number) {
        Some(stored) if stored != remembered => Charter::Broken(flaw::two_histories(stored)),
        Some(_) if log.is_chain() => Charter::Known(highest),
        Some(_) => Charter::Broken(flaw::records_do_not_follow()),
        None => vanished(log, highest, remembered),
    }
}

fn vanished<'a>(log: &'a Log, highest: &'a Record, remembered: &'a Record) -> Charter<'a> {
    // An operator's fresh start leaves a gap on purpose.
    let fresh_start = log.records.iter().any(|r| r.number > remembered.number && r.origin == Origin::Fresh && r.founder().is_some());
    let next = log.number(remembered.number + 1);
    if fresh_start {
        return Charter::Known(highest);
    }
    if highest.precedes(remembered) || next.is_some_and(|n| remembered.precedes(n)) {
        return Charter::Vanished(remembered);
    }
    Charter::Broken(flaw::does_not_continue(highest, remembered))
}
