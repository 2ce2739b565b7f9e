//! Which etcd may run here, naively: every minor is a number, and only the same number and the next one work together.

use quorate_core::charter::{Origin, Record, State};
use quorate_core::etcd_version::EtcdVersion;
use quorate_core::ids::{MemberId, SnapshotKey};
use quorate_core::plan::{Start, Step};
use quorate_core::reading::Reading;

use super::facts::Facts;
use super::{Judgement, must};

fn number(version: EtcdVersion) -> i64 {
    i64::from(version.major) * 1000 + i64::from(version.minor)
}

/// What is installed here, if it takes the flags that it would be given.
fn installed(f: &Facts<'_>) -> Result<i64, &'static str> {
    let here = &f.w.seen.local.etcd;
    match (&here.version, &here.flag_refused) {
        (Reading::Fresh(version, _), None) => Ok(number(*version)),
        (_, Some(_)) => Err("etcd refuses its flags"),
        _ => Err("which etcd is installed is not known"),
    }
}

/// The version that the cluster runs: the one it reports, except the 3.0 of its first seconds; else its lowest voter's, once every voter has reported its own.
fn of_cluster(f: &Facts<'_>) -> Option<i64> {
    let message = |id: &MemberId| Some(number(f.w.seen.etcd.statuses.get(id)?.fresh()?.version?));
    let told = f.w.seen.etcd.version.fresh().map(|v| number(*v)).filter(|n| *n > 3000);
    told.or_else(|| f.voters().ok()?.iter().map(message).collect::<Option<Vec<_>>>()?.into_iter().min())
}

/// Says what is wrong with the version that a step would add, start, or found with.
pub(super) fn judge(step: &Step, f: &Facts<'_>) -> Judgement {
    match step {
        Step::AddLearner { .. } | Step::StartMember(Start::Join { .. }, _) => {
            let (own, cluster) = (installed(f)?, of_cluster(f).ok_or("what the cluster runs is not known")?);
            must([cluster, cluster + 1].contains(&own), "etcd does not support the two versions together")
        }
        Step::StartMember(Start::Resume { .. } | Start::Alone, _) => resume(f),
        Step::StartMember(Start::Found { .. }, _) => installed(f).map(drop),
        // A record that vanished is written again, whatever is installed here.
        Step::CreateRecord(record) if f.w.memory.kept.record.as_ref() == Some(record) => Ok(()),
        Step::CreateRecord(record) if record.founder().is_some() => match &record.origin {
            Origin::Snapshot { key } => restore(f, key),
            Origin::Survivor { .. } => restore_own(f),
            Origin::Empty | Origin::Fresh => installed(f).map(drop),
        },
        Step::RestoreOwnData { .. } => restore_own(f),
        Step::FetchSnapshot { key } | Step::RestoreSnapshot { key, .. } => restore(f, key),
        Step::AdoptData { .. } => moved(f),
        Step::CreateRecord(record) if record.state == State::Established && f.w.seen.local.reattached.is_some() => moved(f),
        _ => Ok(()),
    }
}

fn resume(f: &Facts<'_>) -> Judgement {
    let own = installed(f)?;
    let same = f.cluster().is_some() && f.data().and_then(|d| d.cluster) == f.cluster();
    let told = f.w.seen.etcd.version.fresh().map(|v| number(*v)).filter(|n| same && *n > 3000);
    must(told.is_none_or(|n| own == n || own == n + 1), "the cluster runs another version")?;
    let Some(data) = f.data().and_then(|d| d.version).map(number) else { return Ok(()) };
    must(own >= data, "a newer etcd wrote the data")?;
    let restored = |r: &Record| !matches!(r.origin, Origin::Empty | Origin::Fresh);
    let records = f.stored().filter(|_| f.can_trust()).or(f.w.memory.kept.record.as_ref());
    must(own <= data + 1 || (own < 4000 && records.is_some_and(restored)), "it would be more than one step at a time")
}

fn restore_own(f: &Facts<'_>) -> Judgement {
    let own = installed(f)?;
    must(f.data().and_then(|d| d.version).is_none_or(|v| number(v) <= own), "a newer etcd wrote the data")
}

fn moved(f: &Facts<'_>) -> Judgement {
    let own = installed(f)?;
    let data = f.w.seen.local.reattached.as_ref().and_then(|m| m.data.version);
    must(data.is_none_or(|v| number(v) <= own), "a newer etcd wrote what is on the volume")
}

fn restore(f: &Facts<'_>, key: &SnapshotKey) -> Judgement {
    let own = installed(f)?;
    let of = f.w.seen.snapshots.stored.last().and_then(|l| l.snapshots.iter().find(|s| s.key == *key));
    let text = of.map_or("", |s| s.manifest.etcd_version.as_str());
    let mut parts = text.split('.').map(|p| p.parse::<i64>().unwrap_or(0));
    let taken = parts.next().unwrap_or(0) * 1000 + parts.next().unwrap_or(0);
    must(taken <= own, "a newer etcd wrote the snapshot")
}

/// Nothing is known that would make the next start fail too.
pub(super) fn another_start_may_help(f: &Facts<'_>) -> bool {
    let here = &f.w.seen.local.etcd;
    here.ended.is_none() && here.ports_taken.is_empty() && resume(f).is_ok()
}
