//! What must be true where a snapshot is taken, or some are deleted.

use quorate_core::charter::{Origin, State};
use quorate_core::ids::SnapshotKey;
use quorate_core::snapshot::{SnapshotOrder, StrayKind};

use super::facts::Facts;
use super::{Judgement, must};

pub(super) fn take(f: &Facts<'_>, order: &SnapshotOrder) -> Judgement {
    let record = f.stored().ok_or("there is no record")?;
    must(f.cluster() == Some(order.etcd_cluster), "it would be of an etcd cluster that does not answer")?;
    must(record.etcd_cluster == Some(order.etcd_cluster) && record.generation == order.generation, "its manifest would not be true")
}

/// Whatever is left can still restore what the deleted ones could, as far as it goes.
pub(super) fn prune(f: &Facts<'_>, keys: &[SnapshotKey], abandoned: &[String]) -> Judgement {
    let record = f.stored().ok_or("there is no record")?;
    must(record.state == State::Established, "a recovery may want any of them")?;
    must(!matches!(&record.origin, Origin::Snapshot { key } if keys.contains(key)), "the generation's own origin would go")?;
    let listing = f.w.seen.snapshots.stored.fresh().ok_or("nobody listed them")?;
    let (gone, left): (Vec<_>, Vec<_>) = listing.snapshots.iter().partition(|s| keys.contains(&s.key));
    must(gone.len() == keys.len(), "it would delete what it does not know")?;
    for old in &gone {
        let history = |m: &quorate_core::snapshot::Manifest| (m.generation, m.etcd_cluster);
        let best = left.iter().filter(|s| history(&s.manifest) == history(&old.manifest)).map(|s| s.manifest.revision).max();
        must(best >= Some(old.manifest.revision), "the newest of its history would go")?;
    }
    let of_now = |s: &&&quorate_core::snapshot::Stored| {
        Some(s.manifest.etcd_cluster) == record.etcd_cluster && s.manifest.generation == record.generation
    };
    let touched = gone.iter().filter(of_now).count() > 0;
    must(!touched || left.iter().filter(of_now).count() >= f.w.policy.snapshots.retention.at_least, "too few would be left")?;
    let is_remains = |at: &String| listing.strays.iter().any(|s| s.at == *at && s.why == StrayKind::Unfinished);
    must(abandoned.iter().all(is_remains), "it would delete another's object")
}
