//! Snapshots: taken of the charter's own cluster alone, and deleted only where a newer one of the same data is left.

use crate::charter::{Origin, State};
use crate::ids::SnapshotKey;
use crate::snapshot::{SnapshotOrder, Stored, StrayKind};

use super::facts::Facts;
use super::{Verdict, require};

pub(super) fn take(f: &Facts<'_>, order: &SnapshotOrder) -> Verdict {
    let record = f.highest()?.ok_or("there is no charter")?;
    require(record.number == order.record && record.generation == order.generation, "it is of another record than the highest")?;
    require(record.etcd_cluster == Some(order.etcd_cluster), "it is of another etcd cluster than the charter's")?;
    require(f.membership()?.cluster == order.etcd_cluster, "another etcd cluster answers")
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
