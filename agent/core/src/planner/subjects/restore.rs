//! Total loss: the newest snapshot that verifies is restored, under the charter's claim, exactly once.
//!
//! A would-be founder first fetches the snapshot, which proves every byte, then claims, then restores: no node claims what cannot be restored, and only one
//! restores.

use crate::charter::{Origin, Record, State};
use crate::explain::Wait;
use crate::explain::restoring::{self as explain, Wanted, obstacle};
use crate::ids::SnapshotKey;
use crate::memory::BackoffKey;
use crate::observation::FetchFailure;
use crate::plan::Step;
use crate::policy::OnTotalLoss;
use crate::report::Phase;
use crate::situation::Situation;
use crate::snapshot::{Stored, StrayKind};
use crate::text::{SENTENCE, printable};

use crate::planner::decision::Decision;
use crate::planner::subjects::{objection, orders};

/// What a total loss permits.
pub(in crate::planner) enum Restorable<'a> {
    /// It is no total loss, or not the time to restore.
    No,
    /// This snapshot, with the consent of every instance.
    From(&'a Stored),
    /// Nothing can be done without an operator, for this reason.
    Halts(String),
    /// Not yet.
    Waits(Wait),
}

/// Whether every voter's data is lost and every instance consents, and what is to be restored then.
pub(in crate::planner) fn restorable<'a>(s: &Situation<'a>) -> Restorable<'a> {
    let Some(record) = s.record().filter(|r| r.ever_established.is_some() && is_open(s, r)) else { return Restorable::No };
    if let Some(key) = orders::snapshot_wanted(s) {
        return as_ordered(s, record, key.as_ref());
    }
    if !s.disk_is_empty() || s.membership().is_some() || objection::objector(s, record.number, None).is_some() {
        return Restorable::No;
    }
    let retired_to = match &record.state {
        State::Retired { key, .. } => Some(key),
        State::Founding { .. } | State::Established => None,
    };
    // Retired data was not lost: the policy does not apply to it.
    if s.policy.on_total_loss == OnTotalLoss::Halt && retired_to.is_none() {
        return Restorable::Halts(obstacle::policy_halts());
    }
    if s.rests_on_unproved_answers() {
        return Restorable::Halts(obstacle::answers_are_unsigned());
    }
    if !s.policy.snapshots.enabled || !s.has_store() {
        return Restorable::Halts(obstacle::there_are_none());
    }
    let Some(listing) = s.seen.snapshots.stored.fresh() else {
        return Restorable::Waits(explain::snapshots_were_not_read(&s.seen.snapshots.stored.why_not_fresh()));
    };
    if let Some(key) = retired_to.filter(|key| !s.memory.snapshots.refused.contains_key(*key)) {
        return match listing.get(key) {
            Some(stored) => Restorable::From(stored),
            None => Restorable::Halts(obstacle::final_one_is_gone(key)),
        };
    }
    match candidates(s, record, &listing.snapshots).next() {
        Some(stored) => Restorable::From(stored),
        None => Restorable::Halts(nothing_verifies(s, record, listing.snapshots.len())),
    }
}

/// The newest snapshot, or the one that an operator has named, whatever policy says. Consent is asked for before the claim.
fn as_ordered<'a>(s: &Situation<'a>, record: &Record, key: Option<&SnapshotKey>) -> Restorable<'a> {
    if s.membership().is_some() {
        return Restorable::No;
    }
    if !s.disk_is_empty() && !orders::gives_up_data(s) {
        return Restorable::Halts(orders::who_is_left(s, record));
    }
    if !s.policy.snapshots.enabled || !s.has_store() {
        return Restorable::Halts(obstacle::there_are_none());
    }
    let Some(listing) = s.seen.snapshots.stored.fresh() else {
        return Restorable::Waits(explain::snapshots_were_not_read(&s.seen.snapshots.stored.why_not_fresh()));
    };
    // Newer ones may have been taken while there was a quorum.
    let read = s.seen.snapshots.stored.at();
    if s.memory.quorum.absent_since.is_some_and(|since| read.is_none_or(|at| at < since)) {
        return Restorable::Waits(explain::snapshots_are_listed_again());
    }
    match candidates(s, record, &listing.snapshots).find(|stored| key.is_none_or(|key| *key == stored.key)) {
        Some(stored) => Restorable::From(stored),
        None => Restorable::Halts(match key {
            Some(key) => why_not(s, record, key),
            None => nothing_verifies(s, record, listing.snapshots.len()),
        }),
    }
}

/// Why this snapshot can never be restored in place of `record`'s data.
pub(crate) fn why_not(s: &Situation<'_>, record: &Record, key: &SnapshotKey) -> String {
    let Some(stored) = s.seen.snapshots.stored.last().and_then(|l| l.get(key)) else {
        return obstacle::is_unknown(key);
    };
    match s.memory.snapshots.refused.get(key) {
        Some(why) => obstacle::is_damaged(key, why),
        None => obstacle::is_of_another(stored, record),
    }
}

/// This record is open to be taken over: it is an established or retired generation, or a claim whose founder has nothing.
fn is_open(s: &Situation<'_>, record: &Record) -> bool {
    match (&record.state, &record.origin) {
        (State::Established | State::Retired { .. }, _) => true,
        (State::Founding { .. }, Origin::Empty | Origin::Fresh) => false,
        (State::Founding { founder }, Origin::Snapshot { .. } | Origin::Survivor { .. }) => founder == s.me() || s.is_gone(founder),
    }
}

/// The snapshots of this history, newest first, except those that turned out to be bad.
pub(crate) fn candidates<'a>(s: &Situation<'a>, record: &Record, all: &'a [Stored]) -> impl Iterator<Item = &'a Stored> {
    let refused = &s.memory.snapshots.refused;
    of_lineage(record, all).filter(move |m| !refused.contains_key(&m.key))
}

/// The snapshots of this history, newest first.
pub(crate) fn of_lineage<'a>(record: &Record, all: &'a [Stored]) -> impl Iterator<Item = &'a Stored> + use<'a> {
    let lineage = record.lineage();
    let belongs =
        move |m: &Stored| lineage.iter().any(|a| a.generation == m.manifest.generation && a.etcd_cluster == m.manifest.etcd_cluster);
    all.iter().rev().filter(move |m| belongs(m))
}

fn nothing_verifies(s: &Situation<'_>, record: &Record, listed: usize) -> String {
    obstacle::none_verifies(record, listed, s.memory.snapshots.refused.iter())
}

/// Ok once the snapshot is verified on this disk; otherwise what is to be done for it, or awaited.
pub(in crate::planner) fn fetch(s: &Situation<'_>, key: &SnapshotKey, phase: Phase) -> Result<(), Decision> {
    let view = &s.seen.snapshots;
    if view.fetched.as_ref() == Some(key) {
        return Ok(());
    }
    if let Some(fetching) = &view.fetching {
        return Err(Decision::wait(phase, explain::is_fetched(fetching)).again_in(s.policy.retry));
    }
    if let Some((failed, at, FetchFailure::Failed(why))) = &view.fetch_failed
        && s.now.since(*at) < s.policy.cycle
    {
        return Err(Decision::wait(phase, explain::could_not_fetch(failed, why)).again_in(s.policy.retry));
    }
    if s.memory.waits(BackoffKey::Fetch, s.now) {
        return Err(Decision::wait(phase, explain::could_not_begin_to_fetch(key)).again_in(s.policy.retry));
    }
    let step = Step::FetchSnapshot { key: key.clone() };
    let retired = s.record().is_some_and(|r| matches!(&r.state, State::Retired { key: to, .. } if to == key));
    let why = match orders::snapshot_wanted(s) {
        Some(_) => Wanted::Ordered,
        None if retired => Wanted::Retired,
        None if s.disk_is_empty() => Wanted::TotalLoss,
        None => Wanted::QuorumLost,
    };
    Err(Decision::act(phase, step, explain::fetches(why, key, &passed_over(s, key))))
}

/// Objects in the store that have a later name and cannot be used: another version's, another cluster's, or half a snapshot.
fn passed_over<'a>(s: &Situation<'a>, key: &SnapshotKey) -> Vec<(String, &'a str)> {
    let strays = s.seen.snapshots.stored.last().into_iter().flat_map(|l| &l.strays);
    let later = strays.filter(|stray| stray.at.as_str() > key.as_str() && stray.at.ends_with(".json"));
    later.filter_map(|stray| Some((printable(&stray.at, SENTENCE), reason(&stray.why)?))).collect()
}

fn reason(why: &StrayKind) -> Option<&str> {
    match why {
        StrayKind::Unfinished => None,
        StrayKind::Broken(why) | StrayKind::Foreign(why) => Some(why.as_str()),
    }
}

/// Restores the snapshot, once the claim stands and every other instance was asked again.
pub(in crate::planner) fn restore(s: &Situation<'_>, record: &Record, key: &SnapshotKey) -> Decision {
    if let Err(fetch) = fetch(s, key, Phase::Founding) {
        return fetch;
    }
    if s.memory.waits(BackoffKey::Restore, s.now) {
        let why = s.memory.last_trouble.clone().unwrap_or_default();
        return Decision::halt(Phase::Founding, explain::could_not_restore(key, &why)).again_in(s.policy.retry);
    }
    let step =
        Step::RestoreSnapshot { key: key.clone(), generation: record.generation, token: record.token(), transport: record.transport };
    let stored = s.seen.snapshots.stored.last().and_then(|l| l.get(key));
    Decision::act(Phase::Founding, step, explain::restores(key, record.generation, stored))
}
