//! Versions: etcd supports one minor at a time, and a start that is known to come to nothing changes nothing.

use crate::charter::{Origin, Record};
use crate::etcd_version::EtcdVersion;
use crate::ids::SnapshotKey;
use crate::role::Role;

use super::facts::Facts;
use super::verdict::{Verdict, require};

/// The step up from `lower`; none where `own` is below it, or of another major.
fn steps_up(own: EtcdVersion, lower: EtcdVersion) -> Option<u32> {
    if own.major == lower.major { own.minor.checked_sub(lower.minor) } else { None }
}

/// Only Quorate's own etcd: a distribution installs its own, and says itself what goes together.
fn is_ours(f: &Facts<'_>) -> bool {
    f.seen.me.role == Role::Etcd
}

/// The etcd here, whose flags were tried.
fn tried(f: &Facts<'_>) -> Result<EtcdVersion, &'static str> {
    require(f.seen.local.etcd.flag_refused.is_none(), "etcd here refuses its flags")?;
    f.seen.local.etcd.version.fresh().copied().ok_or("which version etcd is here is not known")
}

/// The cluster's version as etcd says it; until it has decided on one, the lowest of its voters'.
fn of_cluster(f: &Facts<'_>) -> Result<EtcdVersion, &'static str> {
    let membership = f.membership()?;
    if let Some(told) = f.seen.etcd.version.fresh().and_then(|told| told.decided()) {
        return Ok(told);
    }
    let mut lowest = None;
    for voter in membership.voters() {
        let message = f.seen.etcd.statuses.get(&voter.id).and_then(|status| status.fresh()).and_then(|status| status.version);
        let message = message.ok_or("which version the cluster runs is not known")?;
        lowest = Some(lowest.map_or(message, |before: EtcdVersion| before.min(message)));
    }
    lowest.ok_or("which version the cluster runs is not known")
}

/// Before it is added, and before it starts as a new member.
pub(super) fn joins(f: &Facts<'_>) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    let up = steps_up(tried(f)?, of_cluster(f)?);
    require(up.is_some_and(|up| up <= 1), "etcd here is neither of the cluster's minor nor of the one above")
}

/// Before a cluster is begun or claimed.
pub(super) fn founds(f: &Facts<'_>) -> Verdict {
    if is_ours(f) { tried(f).map(drop) } else { Ok(()) }
}

/// Before it starts on its own data.
pub(super) fn resumes(f: &Facts<'_>) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    let own = tried(f)?;
    let data = f.data().ok_or("there is no data")?;
    let of_this_cluster = f.membership().is_ok_and(|m| data.cluster == Some(m.cluster));
    let told = f.seen.etcd.version.fresh().filter(|_| of_this_cluster).and_then(|told| told.decided());
    require(
        told.is_none_or(|told| steps_up(own, told).is_some_and(|up| up <= 1)),
        "etcd here is neither of the cluster's minor nor of the one above",
    )?;
    let Some(version) = data.version else { return Ok(()) };
    let up = steps_up(own, version).ok_or("etcd here is older than its data")?;
    let is_restored = |r: &Record| matches!(r.origin, Origin::Snapshot { .. } | Origin::Survivor { .. });
    let restored = f.highest().ok().flatten().or(f.memory.kept.record.as_ref()).is_some_and(is_restored);
    require(up <= 1 || restored, "etcd here is more than one minor above its data")
}

/// Before data from another instance is taken for its own.
pub(super) fn resumes_moved(f: &Facts<'_>, data: Option<EtcdVersion>) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    let own = tried(f)?;
    require(data.is_none_or(|v| v <= own), "etcd here is older than the volume's data")
}

/// Before its own data becomes another cluster's, or is claimed for that.
pub(super) fn restores_own(f: &Facts<'_>) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    let own = tried(f)?;
    require(f.data().and_then(|d| d.version).is_none_or(|v| v <= own), "etcd here is older than its data")
}

/// Before a snapshot is fetched, claimed or restored.
pub(super) fn restores(f: &Facts<'_>, key: &SnapshotKey) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    let own = tried(f)?;
    let listing = f.seen.snapshots.stored.last();
    let taken = listing.and_then(|all| all.snapshots.iter().find(|s| s.key == *key)).map(|s| s.manifest.etcd_version.as_str());
    require(taken.and_then(EtcdVersion::parse).is_none_or(|v| v <= own), "etcd here is older than the one that the snapshot was taken from")
}

/// Nothing is known that another start on its data would meet again. What is, does not make a member a broken one.
pub(super) fn may_be_broken(f: &Facts<'_>) -> bool {
    !is_ours(f) || (f.seen.local.etcd.ended.is_none() && f.seen.local.etcd.ports_taken.is_empty() && resumes(f).is_ok())
}
