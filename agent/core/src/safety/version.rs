//! Versions: etcd supports upgrades by one minor version at a time, and a start that is known to fail must change nothing.

use crate::charter::{Origin, Record};
use crate::etcd_version::{EtcdVersion, VersionGap, Whose};
use crate::ids::SnapshotKey;

use super::facts::Facts;
use super::refusal::{DataFault, MemberFault, Unread};
use super::verdict::{Verdict, forbid, require};

/// The number of minor versions from `lower` up to `own`; `None` if `own` is lower or of another major version.
fn steps_up(own: EtcdVersion, lower: EtcdVersion) -> Option<u32> {
    if own.major == lower.major { own.minor.checked_sub(lower.minor) } else { None }
}

/// Requires that the etcd here is of the other's minor version or the next one.
fn is_at_most_one_above(own: EtcdVersion, other: EtcdVersion, whose: Whose) -> Verdict {
    require(steps_up(own, other).is_some_and(|up| up <= 1), VersionGap { own, other, whose })
}

/// Requires that the etcd here is not older than what it would go on from, if that is known.
fn is_not_older(own: EtcdVersion, other: Option<EtcdVersion>, whose: Whose) -> Verdict {
    forbid(other.filter(|other| *other > own), |other| VersionGap { own, other, whose })
}

/// Whether the etcd is Quorate's own. A distribution installs its own, and decides itself which versions go together.
fn is_ours(f: &Facts<'_>) -> bool {
    f.ways().runs_etcd
}

/// The version of the etcd here, unless it refused its flags.
fn tried(f: &Facts<'_>) -> Verdict<EtcdVersion> {
    forbid(f.seen.local.etcd.flag_refused.as_deref(), |says| MemberFault::FlagsRefused(says.into()))?;
    f.seen.local.etcd.version.fresh().copied().ok_or_else(|| Unread::OwnVersion.into())
}

/// The cluster's version as etcd reports it or, until it has decided on one, the lowest of its voters'.
fn of_cluster(f: &Facts<'_>) -> Verdict<EtcdVersion> {
    let membership = f.membership()?;
    if let Some(told) = f.seen.etcd.version.fresh().and_then(|told| told.decided()) {
        return Ok(told);
    }
    let mut lowest = None;
    for voter in membership.voters() {
        let says = f.seen.etcd.statuses.get(&voter.id).and_then(|status| status.fresh()).and_then(|status| status.version);
        let says = says.ok_or(Unread::ClusterVersion)?;
        lowest = Some(lowest.map_or(says, |before: EtcdVersion| before.min(says)));
    }
    lowest.ok_or_else(|| Unread::ClusterVersion.into())
}

/// Checked before a member is added, and before it starts as a new one.
pub(super) fn joins(f: &Facts<'_>) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    is_at_most_one_above(tried(f)?, of_cluster(f)?, Whose::Cluster)
}

/// Checked before a cluster is begun or claimed.
pub(super) fn founds(f: &Facts<'_>) -> Verdict {
    if is_ours(f) { tried(f).map(drop) } else { Ok(()) }
}

/// Checked before a member starts on its own data.
pub(super) fn resumes(f: &Facts<'_>) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    let own = tried(f)?;
    let data = f.data().ok_or(DataFault::None)?;
    let of_this_cluster = f.membership().is_ok_and(|m| data.cluster == Some(m.cluster));
    let told = f.seen.etcd.version.fresh().filter(|_| of_this_cluster).and_then(|told| told.decided());
    if let Some(told) = told {
        is_at_most_one_above(own, told, Whose::Cluster)?;
    }
    let Some(version) = data.version else { return Ok(()) };
    let gap = || VersionGap { own, other: version, whose: Whose::Data };
    let up = steps_up(own, version).ok_or_else(gap)?;
    let is_restored = |r: &Record| matches!(r.origin, Origin::Snapshot { .. } | Origin::Survivor { .. });
    let restored = f.highest().ok().flatten().or(f.memory.kept.record.as_ref()).is_some_and(is_restored);
    require(up <= 1 || restored, gap())
}

/// Checked before this node adopts data from another instance.
pub(super) fn resumes_moved(f: &Facts<'_>, data: Option<EtcdVersion>) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    is_not_older(tried(f)?, data, Whose::Data)
}

/// Checked before this node's own data becomes another cluster's, or is claimed for that.
pub(super) fn restores_own(f: &Facts<'_>) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    is_not_older(tried(f)?, f.data().and_then(|d| d.version), Whose::Data)
}

/// Checked before a snapshot is fetched, claimed or restored.
pub(super) fn restores(f: &Facts<'_>, key: &SnapshotKey) -> Verdict {
    if !is_ours(f) {
        return Ok(());
    }
    let own = tried(f)?;
    let listing = f.seen.snapshots.stored.last();
    let taken = listing.and_then(|all| all.snapshots.iter().find(|s| s.key == *key)).map(|s| s.manifest.etcd_version.as_str());
    is_not_older(own, taken.and_then(EtcdVersion::parse), Whose::Snapshot)
}

/// Whether a member that does not start may count as broken: nothing is known that would stop its next start on its data too. Such a cause does not make a
/// member broken.
pub(super) fn may_be_broken(f: &Facts<'_>) -> bool {
    !is_ours(f) || (f.seen.local.etcd.ended.is_none() && f.seen.local.etcd.ports_taken.is_empty() && resumes(f).is_ok())
}
