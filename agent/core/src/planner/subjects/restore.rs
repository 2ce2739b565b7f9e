//! Total loss: the newest snapshot that verifies is restored, under the charter's claim, exactly once.
//!
//! A would-be founder first fetches it and so proves every byte, then claims, then restores: nobody claims what cannot be restored, and only one restores.

use crate::charter::{Origin, Record, State};
use crate::ids::SnapshotKey;
use crate::memory::BackoffKey;
use crate::observation::FetchFailure;
use crate::plan::Step;
use crate::policy::OnTotalLoss;
use crate::report::Phase;
use crate::situation::Situation;
use crate::snapshot::{Stored, StrayKind, Trigger};
use crate::text::{SENTENCE, printable};

use crate::planner::decision::Decision;
use crate::planner::subjects::{objection, orders};

/// What a total loss permits.
pub(in crate::planner) enum Restorable<'a> {
    /// It is no total loss, or not the time to restore.
    No,
    /// This snapshot, by everybody's consent.
    From(&'a Stored),
    /// Nothing can be done by itself, for this reason.
    Halts(String),
    /// Not yet, for this reason.
    Waits(String),
}

/// Whether every voter's data is lost, everybody consents, and what is to be restored then.
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
    // What was retired was not lost: the policy is not about it.
    if s.policy.on_total_loss == OnTotalLoss::Halt && retired_to.is_none() {
        return Restorable::Halts("policy `halt` lets nobody restore a snapshot by itself".to_owned());
    }
    if !s.policy.network_trusted && s.others().iter().any(|id| !s.is_gone(id)) {
        return Restorable::Halts(
            "the others say that they hold no data, but their answers are unsigned, and without TLS nothing is restored on them: declare the network \
             trusted (peer.i_trust_this_network_without_tls), or let one instance alone live"
                .to_owned(),
        );
    }
    if !s.policy.snapshots.enabled || !s.has_store() {
        return Restorable::Halts("there are no snapshots here".to_owned());
    }
    let Some(listing) = s.seen.snapshots.stored.fresh() else {
        return Restorable::Waits(format!("waits to read which snapshots the store holds: {}", s.seen.snapshots.stored.why_not_fresh()));
    };
    if let Some(key) = retired_to.filter(|key| !s.memory.snapshots.refused.contains_key(*key)) {
        return match listing.get(key) {
            Some(stored) => Restorable::From(stored),
            None => Restorable::Halts(format!(
                "the cluster was retired to snapshot {key}, which is not in the store: put it back, as any other lacks what was written last"
            )),
        };
    }
    match candidates(s, record, &listing.snapshots).next() {
        Some(stored) => Restorable::From(stored),
        None => Restorable::Halts(nothing_verifies(s, record, listing.snapshots.len())),
    }
}

/// The newest, or the one that an operator has named, whatever policy says. Whether everybody consents is asked before the claim.
fn as_ordered<'a>(s: &Situation<'a>, record: &Record, key: Option<&SnapshotKey>) -> Restorable<'a> {
    if s.membership().is_some() {
        return Restorable::No;
    }
    if !s.disk_is_empty() && !orders::gives_up_data(s) {
        return Restorable::Halts(orders::who_is_left(s, record));
    }
    if !s.policy.snapshots.enabled || !s.has_store() {
        return Restorable::Halts("there are no snapshots here".to_owned());
    }
    let Some(listing) = s.seen.snapshots.stored.fresh() else {
        return Restorable::Waits(format!("waits to read which snapshots the store holds: {}", s.seen.snapshots.stored.why_not_fresh()));
    };
    // While there was a quorum, newer ones may have come.
    let read = s.seen.snapshots.stored.at();
    if s.memory.quorum.absent_since.is_some_and(|since| read.is_none_or(|at| at < since)) {
        return Restorable::Waits("waits to list the store's snapshots once more, now that no quorum takes any".to_owned());
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
        return format!("the store holds no snapshot {key}: `quorate snapshot list` shows what it holds");
    };
    match s.memory.snapshots.refused.get(key) {
        Some(why) => format!("snapshot {key} is not what its manifest says: {why}"),
        None => format!(
            "snapshot {key} is of generation {} of etcd cluster {}, which is not of the history of {record}: what is another's is never restored here",
            stored.manifest.generation, stored.manifest.etcd_cluster
        ),
    }
}

/// Nobody founds on this record any more but who may take it over: an established or retired generation, or a claim whose founder has nothing.
fn is_open(s: &Situation<'_>, record: &Record) -> bool {
    match (&record.state, &record.origin) {
        (State::Established | State::Retired { .. }, _) => true,
        (State::Founding { .. }, Origin::Empty | Origin::Fresh) => false,
        (State::Founding { founder }, Origin::Snapshot { .. } | Origin::Survivor { .. }) => founder == s.me() || s.is_gone(founder),
    }
}

/// Those of this history, newest first, but for those that turned out to be bad.
pub(crate) fn candidates<'a>(s: &Situation<'a>, record: &Record, all: &'a [Stored]) -> impl Iterator<Item = &'a Stored> {
    let refused = &s.memory.snapshots.refused;
    of_lineage(record, all).filter(move |m| !refused.contains_key(&m.key))
}

/// Those of this history, newest first.
pub(crate) fn of_lineage<'a>(record: &Record, all: &'a [Stored]) -> impl Iterator<Item = &'a Stored> + use<'a> {
    let lineage = record.lineage();
    let belongs =
        move |m: &Stored| lineage.iter().any(|a| a.generation == m.manifest.generation && a.etcd_cluster == m.manifest.etcd_cluster);
    all.iter().rev().filter(move |m| belongs(m))
}

fn nothing_verifies(s: &Situation<'_>, record: &Record, listed: usize) -> String {
    let refused: Vec<String> = s.memory.snapshots.refused.iter().map(|(key, why)| format!("{key}: {why}")).collect();
    let refused = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join("; ")) };
    format!("none of the {listed} snapshots in the store is of this cluster's generation {} and verifies{refused}", record.generation)
}

/// The snapshot is on this disk, proved; else what is to be done for it, or awaited.
pub(in crate::planner) fn fetch(s: &Situation<'_>, key: &SnapshotKey, phase: Phase) -> Result<(), Decision> {
    let view = &s.seen.snapshots;
    if view.fetched.as_ref() == Some(key) {
        return Ok(());
    }
    if let Some(fetching) = &view.fetching {
        let says = format!(
            "reads snapshot {} from the store, and proves it ({} of {} MiB)",
            fetching.key,
            fetching.bytes >> 20,
            fetching.of >> 20
        );
        return Err(Decision::wait(phase, says).again_in(s.policy.retry));
    }
    if let Some((failed, at, FetchFailure::Failed(why))) = &view.fetch_failed
        && s.now.since(*at) < s.policy.cycle
    {
        let says = format!("could not read snapshot {failed} from the store, and tries again: {why}");
        return Err(Decision::wait(phase, says).again_in(s.policy.retry));
    }
    if s.memory.waits(BackoffKey::Fetch, s.now) {
        return Err(Decision::wait(phase, format!("could not begin to read snapshot {key} a moment ago")).again_in(s.policy.retry));
    }
    let step = Step::FetchSnapshot { key: key.clone() };
    let retired = s.record().is_some_and(|r| matches!(&r.state, State::Retired { key: to, .. } if to == key));
    let why = match orders::snapshot_wanted(s) {
        Some(_) => "an operator has ordered it",
        None if retired => "the cluster was retired to it",
        None if s.disk_is_empty() => "every voter's data is lost",
        None => "quorum is lost for good",
    };
    let says = format!("{why}; reads snapshot {key} from the store, and proves it{}", passed_over(s, key));
    Err(Decision::act(phase, step, says))
}

/// What lies in the store under a later name and cannot be used: another version's, another cluster's, or half of one.
fn passed_over(s: &Situation<'_>, key: &SnapshotKey) -> String {
    let strays = s.seen.snapshots.stored.last().into_iter().flat_map(|l| &l.strays);
    let later = strays.filter(|stray| stray.at.as_str() > key.as_str() && stray.at.ends_with(".json"));
    let named: Vec<String> =
        later.filter_map(|stray| Some(format!("{}: {}", printable(&stray.at, SENTENCE), reason(&stray.why)?))).collect();
    if named.is_empty() { String::new() } else { format!("; PASSES OVER {}", named.join("; ")) }
}

fn reason(why: &StrayKind) -> Option<&str> {
    match why {
        StrayKind::Unfinished => None,
        StrayKind::Broken(why) | StrayKind::Foreign(why) => Some(why.as_str()),
    }
}

/// The claim stands, everybody was asked again: the snapshot is restored.
pub(in crate::planner) fn restore(s: &Situation<'_>, record: &Record, key: &SnapshotKey) -> Decision {
    if let Err(fetch) = fetch(s, key, Phase::Founding) {
        return fetch;
    }
    if s.memory.waits(BackoffKey::Restore, s.now) {
        let why = s.memory.last_trouble.clone().unwrap_or_default();
        return Decision::halt(Phase::Founding, format!("could not restore snapshot {key}, and tries again: {why}"))
            .again_in(s.policy.retry);
    }
    let step = Step::RestoreSnapshot { key: key.clone(), generation: record.generation, token: record.token() };
    let stored = s.seen.snapshots.stored.last().and_then(|l| l.get(key));
    let revision = stored.map_or_else(String::new, |stored| match stored.manifest.trigger {
        Trigger::Final => format!(" of revision {}, the last voter's final one", stored.manifest.revision),
        _ => format!(" of revision {}: every later write is lost", stored.manifest.revision),
    });
    Decision::act(Phase::Founding, step, format!("restores snapshot {key} as generation {}{revision}", record.generation))
}
