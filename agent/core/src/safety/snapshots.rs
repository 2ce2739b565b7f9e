//! Snapshots: taken of the charter's own cluster alone, and deleted only where a newer one of the same data is left.

use crate::charter::{Origin, Record, State};
use crate::ids::{Generation, SnapshotKey};
use crate::memory::Order;
use crate::observation::Process;
use crate::policy::{OnTotalLoss, Recovery};
use crate::snapshot::{SnapshotOrder, Stored, StrayKind, Trigger};

use super::facts::Facts;
use super::giving_up::{gives_up_data, orders_snapshot};
use super::verdict::{Verdict, require};
use super::{consent, last_voter, version};

pub(super) fn take(f: &Facts<'_>, order: &SnapshotOrder) -> Verdict {
    let record = f.highest()?.ok_or("there is no charter")?;
    require(record.number == order.record && record.generation == order.generation, "it is of another record than the highest")?;
    require(record.etcd_cluster == Some(order.etcd_cluster), "it is of another etcd cluster than the charter's")?;
    if order.unconfirmed {
        return take_what_is_left(f, order);
    }
    let on_loopback = matches!(f.seen.local.process.fresh(), Some(Process::Running { loopback_only: true, .. }));
    require(!order.on_loopback || on_loopback, "etcd is not on loopback")?;
    require(f.membership()?.cluster == order.etcd_cluster, "another etcd cluster answers")
}

/// No quorum is left: the last voter saves what it has of its own, and only when it goes.
fn take_what_is_left(f: &Facts<'_>, order: &SnapshotOrder) -> Verdict {
    require(order.trigger == Trigger::Final && f.membership().is_err(), "a quorum could confirm it")?;
    last_voter::last_voter_leaves(f)?;
    let own = f.data().is_some_and(|d| d.member == Some(order.via.member) && d.cluster == Some(order.etcd_cluster));
    require(own, "it is not of its own data")
}

pub(super) fn prune(f: &Facts<'_>, keys: &[SnapshotKey], abandoned: &[String]) -> Verdict {
    let record = f.highest()?.ok_or("there is no charter")?;
    require(record.state == State::Established, "the cluster is not established: any snapshot may be wanted")?;
    let listing = f.seen.snapshots.stored.fresh().ok_or("the store's snapshots were not listed")?;
    let goes = |s: &&Stored| keys.contains(&s.key);
    require(listing.snapshots.iter().filter(goes).count() == keys.len(), "one of them is not in the list")?;
    let named = matches!(&record.origin, Origin::Snapshot { key } if keys.contains(key));
    require(!named, "the charter rests on one of them")?;
    let same =
        |a: &Stored, b: &Stored| a.manifest.generation == b.manifest.generation && a.manifest.etcd_cluster == b.manifest.etcd_cluster;
    let newer_stays = |old: &Stored| {
        let stays = |s: &&Stored| !goes(s) && same(s, old) && s.manifest.revision >= old.manifest.revision;
        listing.snapshots.iter().any(|s| stays(&s))
    };
    require(listing.snapshots.iter().filter(goes).all(newer_stays), "no newer snapshot of the same data would be left")?;
    let current = |s: &&Stored| s.manifest.generation == record.generation && record.etcd_cluster == Some(s.manifest.etcd_cluster);
    let (all, going) = (listing.snapshots.iter().filter(current), listing.snapshots.iter().filter(current).filter(goes));
    let (all, going) = (all.count(), going.count());
    require(going == 0 || all - going >= f.policy.snapshots.retention.at_least, "fewer than the operator wants would be left")?;
    let is_remains = |at: &String| listing.strays.iter().any(|s| s.at == *at && s.why == StrayKind::Unfinished);
    require(abandoned.iter().all(is_remains), "it is no remains of an upload")
}

/// A trial fills a disk for a while and keeps it busy: not more often than was asked for, not two at a time, where the data is that it proves, and not
/// where each write of the others waits for the disk.
pub(super) fn drill(f: &Facts<'_>, key: &SnapshotKey) -> Verdict {
    let interval = f.policy.snapshots.drill_interval.ok_or("no drill is asked for")?;
    let membership = f.membership()?;
    f.is_the_charters(membership)?;
    require(f.votes(), "this node does not vote")?;
    let follows = membership.leader.is_some_and(|leader| f.data().is_some_and(|d| d.member != Some(leader)));
    require(follows || membership.voters().count() == 1, "it would keep the leader's disk busy")?;
    let drills = &f.seen.snapshots.drills;
    require(drills.running.is_none(), "another drill goes on")?;
    let last = drills.last.as_ref().filter(|last| last.failed.is_none());
    require(last.is_none_or(|last| f.now.since(last.at) >= interval), "the last one is not long ago")?;
    let listing = f.seen.snapshots.stored.fresh().ok_or("the store's snapshots were not listed")?;
    require(listing.get(key).is_some(), "it is not in the list")
}

/// Reading one changes nothing but this disk's free space; it is not done while a cluster lives.
pub(super) fn fetch(f: &Facts<'_>, key: &SnapshotKey) -> Verdict {
    require(f.membership().is_err(), "a quorum is alive")?;
    version::restores(f, key)?;
    let ordered = matches!(f.memory.kept.order, Some(Order::RecoverSnapshot { .. }));
    let by_policy = f.policy.recovery == Recovery::Any && (f.gate.lost_since().is_some() || f.highest()?.is_some_and(|r| f.founds(r)));
    require(f.disk_is_empty() || ordered || by_policy, "its disk holds data")?;
    let listing = f.seen.snapshots.stored.fresh().ok_or("the store's snapshots were not listed")?;
    require(listing.get(key).is_some(), "it is not in the list")
}

/// A claim to restore this snapshot: of this history, proved on this disk, and the newest that is not known to be bad. Whether everybody consents, that
/// nobody who stands there holds data, is asked of every claim.
pub(super) fn claim(f: &Facts<'_>, record: &Record, highest: Option<&Record>, key: &SnapshotKey) -> Verdict {
    let retired_to = match highest.map(|r| &r.state) {
        Some(State::Retired { key, .. }) => Some(key),
        _ => None,
    };
    let gives_up = gives_up_data(f, record);
    let chosen = orders_snapshot(f, record) || gives_up;
    let permitted = chosen || retired_to.is_some() || f.policy.on_total_loss == OnTotalLoss::Restore;
    require(permitted, "the policy lets nobody restore by itself")?;
    let other = retired_to.filter(|to| *to != key && !chosen);
    require(other.is_none_or(|to| f.memory.snapshots.refused.contains_key(to)), "the cluster was retired to another snapshot")?;
    require(f.has_store(), "without a store there is no snapshot")?;
    require(f.disk_is_empty() || gives_up, "this disk holds data")?;
    let unknown = f.data().is_some_and(|d| d.cluster.is_some() && d.generation.is_none_or(|g| g >= record.generation));
    require(!unknown, "its data is of no generation that could be given up")?;
    let before = highest.ok_or("nothing was established")?;
    require(before.ever_established.is_some(), "nothing was established")?;
    let open = match &before.state {
        State::Established | State::Retired { .. } => true,
        State::Founding { .. } => {
            matches!(before.origin, Origin::Snapshot { .. } | Origin::Survivor { .. }) && consent::takeover(f, before)
        }
    };
    require(open, "another's claim stands")?;
    let histories: Vec<_> = record.ancestors.iter().map(|a| (a.generation, a.etcd_cluster)).collect();
    let own = before.etcd_cluster.map(|cluster| (before.generation, cluster));
    let known = |h: &(Generation, _)| before.ancestors.iter().any(|a| (a.generation, a.etcd_cluster) == *h) || own == Some(*h);
    require(!histories.is_empty() && histories.iter().all(known), "it names ancestors that the charter does not know")?;
    require(record.voters == before.voters, "it forgets who voted")?;
    let listing = f.seen.snapshots.stored.fresh().ok_or("the store's snapshots were not listed")?;
    let of_this_history = |s: &&Stored| histories.contains(&(s.manifest.generation, s.manifest.etcd_cluster));
    let chosen = listing.get(key).filter(of_this_history).ok_or("the snapshot is not of this cluster's history")?;
    require(f.seen.snapshots.fetched.as_ref() == Some(key), "the snapshot was not proved on this disk")?;
    let named = matches!(&f.memory.kept.order, Some(Order::RecoverSnapshot { key: Some(named) }) if named == key);
    let better = |s: &&Stored| (s.manifest.generation, s.manifest.revision) > (chosen.manifest.generation, chosen.manifest.revision);
    let passed_over = |s: &Stored| named || f.memory.snapshots.refused.contains_key(&s.key);
    require(listing.snapshots.iter().filter(of_this_history).filter(better).all(passed_over), "a newer snapshot is passed over")
}

pub(super) fn restore(f: &Facts<'_>, key: &SnapshotKey, generation: Generation, token: &str) -> Verdict {
    version::restores(f, key)?;
    require(f.is_stopped(), "etcd is not known to be stopped")?;
    let record = consent::begun_claim(f, generation, token)?;
    require(record.origin == Origin::Snapshot { key: key.clone() }, "its claim is not to restore that snapshot")?;
    require(f.seen.snapshots.fetched.as_ref() == Some(key), "the snapshot was not proved on this disk")?;
    require(f.membership().is_err(), "a quorum is alive")
}
