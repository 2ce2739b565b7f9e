//! Snapshots: taken only of the charter's own cluster, and deleted only where a newer one of the same data is left.

use crate::charter::{Origin, Record, State};
use crate::ids::{Generation, SnapshotKey};
use crate::memory::Order;
use crate::observation::Process;
use crate::policy::{OnTotalLoss, Recovery};
use crate::snapshot::{SnapshotOrder, Stored, StrayKind, Trigger};

use super::facts::Facts;
use super::giving_up::{gives_up_data, orders_snapshot};
use super::refusal::{CharterFault, ClaimFault, DataFault, MemberFault, NotOrdered, RecordFault, SnapshotFault, Unread, VotersFault};
use super::verdict::{Verdict, forbid, require};
use super::{consent, last_voter, version};

pub(super) fn take(f: &Facts<'_>, order: &SnapshotOrder) -> Verdict {
    let record = f.charter()?;
    let same = record.number == order.record && record.generation == order.generation;
    require(same, SnapshotFault::OtherRecord { named: order.record, highest: record.number })?;
    let (named, charter) = (order.etcd_cluster, record.etcd_cluster);
    require(charter == Some(named), SnapshotFault::OtherCluster { named, charter })?;
    if order.unconfirmed {
        return take_what_is_left(f, order);
    }
    let on_loopback = matches!(f.seen.local.process.fresh(), Some(Process::Running { loopback_only: true, .. }));
    require(!order.on_loopback || on_loopback, SnapshotFault::NotOnLoopback)?;
    let answers = f.membership()?.cluster;
    require(answers == named, SnapshotFault::OtherAnswers { named, answers })
}

/// Without a quorum, the last voter may save its own data, and only when it leaves.
fn take_what_is_left(f: &Facts<'_>, order: &SnapshotOrder) -> Verdict {
    require(order.trigger == Trigger::Final, SnapshotFault::NotFinal(order.trigger))?;
    f.needs_no_quorum()?;
    last_voter::last_voter_leaves(f)?;
    let own = f.data().is_some_and(|d| d.member == Some(order.via.member) && d.cluster == Some(order.etcd_cluster));
    require(own, SnapshotFault::NotOwnData)
}

pub(super) fn prune(f: &Facts<'_>, keys: &[SnapshotKey], abandoned: &[String]) -> Verdict {
    let record = f.charter()?;
    // Until a generation is established, any snapshot may be wanted.
    require(record.state == State::Established, CharterFault::NotEstablished(record.number))?;
    f.needs_equal_data()?;
    let listing = f.seen.snapshots.stored.fresh().ok_or(Unread::Snapshots)?;
    let goes = |s: &&Stored| keys.contains(&s.key);
    let (listed, named) = (listing.snapshots.iter().filter(goes).count(), keys.len());
    require(listed == named, SnapshotFault::SomeNotListed { listed, named })?;
    if let Origin::Snapshot { key } = &record.origin {
        require(!keys.contains(key), SnapshotFault::IsOrigin(key.clone()))?;
    }
    let same =
        |a: &Stored, b: &Stored| a.manifest.generation == b.manifest.generation && a.manifest.etcd_cluster == b.manifest.etcd_cluster;
    let newer_stays = |old: &Stored| {
        let stays = |s: &&Stored| !goes(s) && same(s, old) && s.manifest.revision >= old.manifest.revision;
        listing.snapshots.iter().any(|s| stays(&s))
    };
    let newest = listing.snapshots.iter().filter(goes).find(|s| !newer_stays(s));
    forbid(newest, |s| SnapshotFault::NewestOfItsData(s.key.clone()))?;
    let current = |s: &&Stored| s.manifest.generation == record.generation && record.etcd_cluster == Some(s.manifest.etcd_cluster);
    let (all, going) = (listing.snapshots.iter().filter(current), listing.snapshots.iter().filter(current).filter(goes));
    let (going, wanted) = (going.count(), f.policy.snapshots.retention.at_least);
    let left = all.count() - going;
    require(going == 0 || left >= wanted, SnapshotFault::TooFew { left, wanted })?;
    let is_remains = |at: &String| listing.strays.iter().any(|s| s.at == *at && s.why == StrayKind::Unfinished);
    forbid(abandoned.iter().find(|at| !is_remains(at)), |at| SnapshotFault::NotRemains(at.as_str().into()))
}

/// A trial fills a disk for a while and keeps it busy. It runs at most once in the configured interval, one at a time, and on a voter of the charter's
/// cluster. It does not run on the leader if there are other voters, because each of their writes waits for the leader's disk.
pub(super) fn drill(f: &Facts<'_>, key: &SnapshotKey) -> Verdict {
    let interval = f.policy.snapshots.drill_interval.ok_or(NotOrdered::Drill)?;
    let membership = f.membership()?;
    f.is_the_charters(membership)?;
    require(f.votes(), MemberFault::DoesNotVote)?;
    let follows = membership.leader.is_some_and(|leader| f.data().is_some_and(|d| d.member != Some(leader)));
    require(follows || membership.voters().count() == 1, SnapshotFault::LeadersDisk)?;
    let drills = &f.seen.snapshots.drills;
    forbid(drills.running.as_ref(), |(key, _)| SnapshotFault::DrillRuns(key.clone()))?;
    let lately = drills.last.as_ref().filter(|last| last.failed.is_none() && f.now.since(last.at) < interval);
    forbid(lately, |last| SnapshotFault::DrilledLately { at: last.at, interval })?;
    is_listed(f, key)
}

fn is_listed(f: &Facts<'_>, key: &SnapshotKey) -> Verdict {
    let listing = f.seen.snapshots.stored.fresh().ok_or(Unread::Snapshots)?;
    require(listing.get(key).is_some(), SnapshotFault::NotListed(key.clone()))
}

/// Fetching a snapshot changes nothing except this disk's free space. It is not done while a quorum is alive.
pub(super) fn fetch(f: &Facts<'_>, key: &SnapshotKey) -> Verdict {
    f.needs_no_quorum()?;
    version::restores(f, key)?;
    let ordered = matches!(f.memory.kept.order, Some(Order::RecoverSnapshot { .. }));
    let by_policy = f.policy.recovery == Recovery::Any && (f.gate.lost_since().is_some() || f.highest()?.is_some_and(|r| f.founds(r)));
    if !(ordered || by_policy) {
        f.needs_an_empty_disk()?;
    }
    is_listed(f, key)
}

/// Permits a claim to restore a snapshot that is of this history, proved on this disk, and the newest that is not known to be bad. Every claim, this one too,
/// also needs the consent of all others, none of which may hold data that counts.
pub(super) fn claim(f: &Facts<'_>, record: &Record, highest: Option<&Record>, key: &SnapshotKey) -> Verdict {
    let retired_to = match highest.map(|r| &r.state) {
        Some(State::Retired { key, .. }) => Some(key),
        _ => None,
    };
    let gives_up = gives_up_data(f, record);
    let chosen = orders_snapshot(f, record) || gives_up;
    let permitted = chosen || retired_to.is_some() || f.policy.on_total_loss == OnTotalLoss::Restore;
    require(permitted, NotOrdered::Restore)?;
    let other = retired_to.filter(|to| *to != key && !chosen && !f.memory.snapshots.refused.contains_key(*to));
    forbid(other, |to| SnapshotFault::RetiredTo(to.clone()))?;
    require(f.has_store(), SnapshotFault::NoStore)?;
    if !gives_up {
        f.needs_an_empty_disk()?;
    }
    let unknown = f.data().filter(|d| d.cluster.is_some() && d.generation.is_none_or(|g| g >= record.generation));
    forbid(unknown, |d| DataFault::NotOlder { data: d.generation, claim: record.generation })?;
    let before = highest.filter(|r| r.ever_established.is_some()).ok_or(CharterFault::NothingEstablished)?;
    let open = match &before.state {
        State::Established | State::Retired { .. } => true,
        State::Founding { .. } => {
            matches!(before.origin, Origin::Snapshot { .. } | Origin::Survivor { .. }) && consent::takeover(f, before)
        }
    };
    require(open, consent::stands(before))?;
    let histories: Vec<_> = record.ancestors.iter().map(|a| (a.generation, a.etcd_cluster)).collect();
    let own = before.etcd_cluster.map(|cluster| (before.generation, cluster));
    let known = |h: &(Generation, _)| before.ancestors.iter().any(|a| (a.generation, a.etcd_cluster) == *h) || own == Some(*h);
    require(!histories.is_empty(), RecordFault::NoAncestors)?;
    forbid(histories.iter().find(|h| !known(h)), |(generation, _)| RecordFault::UnknownAncestor(*generation))?;
    require(record.voters == before.voters, VotersFault::Forgotten)?;
    let listing = f.seen.snapshots.stored.fresh().ok_or(Unread::Snapshots)?;
    let of_this_history = |s: &&Stored| histories.contains(&(s.manifest.generation, s.manifest.etcd_cluster));
    let chosen = listing.get(key).filter(of_this_history).ok_or_else(|| SnapshotFault::NotOfHistory(key.clone()))?;
    f.needs_proof_of(key)?;
    let named = matches!(&f.memory.kept.order, Some(Order::RecoverSnapshot { key: Some(named) }) if named == key);
    let better = |s: &&Stored| (s.manifest.generation, s.manifest.revision) > (chosen.manifest.generation, chosen.manifest.revision);
    let passed_over = |s: &Stored| named || f.memory.snapshots.refused.contains_key(&s.key);
    let left = listing.snapshots.iter().filter(of_this_history).filter(better).find(|s| !passed_over(s));
    forbid(left, |s| SnapshotFault::NewerLeft(s.key.clone()))
}

pub(super) fn restore(f: &Facts<'_>, key: &SnapshotKey, generation: Generation, token: &str) -> Verdict {
    version::restores(f, key)?;
    f.needs_a_stopped_service()?;
    let record = consent::begun_claim(f, generation, token)?;
    require(record.origin == Origin::Snapshot { key: key.clone() }, ClaimFault::RestoresAnother(key.clone()))?;
    f.needs_proof_of(key)?;
    f.needs_no_quorum()
}
