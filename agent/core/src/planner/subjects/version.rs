//! The versions that etcd supports: its own minor is the cluster's or the one above, and never below the one that wrote the data. A step that would start or
//! add an etcd that does not fit becomes a wait here, before anything is added or claimed, and so does a start that is known to fail.

use crate::charter::{Origin, Record, State};
use crate::etcd_version::{EtcdVersion, StartRefusal, VersionGap, Whose};
use crate::explain::{Message, version as explain};
use crate::ids::SnapshotKey;
use crate::observation::{Listens, Membership};
use crate::plan::{Start, Step, StopReason};
use crate::situation::Situation;

use crate::planner::decision::Decision;

/// Why a step is not taken now.
enum Obstacle {
    /// It is not known whether the step may be taken.
    Unsure(Message),
    /// It may not be taken until an operator has fixed something.
    Refused(StartRefusal, Message),
}

/// What a step does with the etcd that is installed here.
enum Use<'a> {
    /// Adds or starts a new member of the cluster.
    Join,
    /// Begins an empty cluster, or claims to.
    Found,
    /// Starts on the data that is there, listening like this.
    Resume(Listens),
    /// Stops etcd, to start it again on its data.
    Restart,
    /// Makes a new cluster of the data that is there, or claims to.
    RestoreOwn,
    /// Adopts the data of another instance whose volume was moved here, or lists its member here.
    Adopt,
    /// Makes a new cluster of a snapshot, or fetches it for that.
    Restore(&'a SnapshotKey),
}

/// The decision as it was, or the wait in its place.
pub(in crate::planner) fn guard(s: &Situation<'_>, decision: Decision) -> Decision {
    let Some(obstacle) = decision.step.as_ref().and_then(|step| obstacle_to(s, step)) else { return decision };
    match obstacle {
        Obstacle::Unsure(why) => {
            Decision::wait(decision.phase, explain::may_not_start_yet(why)).until(decision.until).again_in(s.policy.retry)
        }
        Obstacle::Refused(refusal, why) => Decision::halt(decision.phase, explain::may_not_start(refusal, why)).until(decision.until),
    }
}

/// Whether the guard lets this step pass.
pub(in crate::planner) fn lets_pass(s: &Situation<'_>, step: &Step) -> bool {
    obstacle_to(s, step).is_none()
}

/// Another start on its data would fail for the same reason as the last ones: the member is not broken.
pub(in crate::planner) fn would_fail_again(s: &Situation<'_>) -> bool {
    let guarded = s.ways().runs_etcd;
    guarded && (obstacle(s, &Use::Resume(Listens::ToClients)).is_some() || s.seen.local.etcd.ended.is_some())
}

/// Why this node's etcd is not started, if no waiting would fix it; asked by [`crate::tracker::absorb`], and reported to the peers.
pub(crate) fn refusal(s: &Situation<'_>) -> Option<StartRefusal> {
    if !s.ways().runs_etcd || !s.is_stopped() {
        return None;
    }
    let established = s.record().is_some_and(|r| r.state == State::Established);
    let start = match (s.data().is_some(), established) {
        (true, _) => Use::Resume(Listens::ToClients),
        (false, true) => Use::Join,
        (false, false) => Use::Found,
    };
    match obstacle(s, &start)? {
        Obstacle::Refused(why, _) => Some(why),
        Obstacle::Unsure(_) => None,
    }
}

/// Why, if this node can never join the cluster that answers.
pub(in crate::planner) fn joins_never(s: &Situation<'_>) -> Option<Message> {
    let guarded = s.ways().runs_etcd && s.disk_is_empty() && s.is_stopped();
    let own = *s.seen.local.etcd.version.fresh().filter(|_| guarded)?;
    match fits_cluster(s, own) {
        Err(Obstacle::Refused(StartRefusal::Version, why)) => Some(why),
        Err(_) | Ok(()) => None,
    }
}

fn obstacle_to(s: &Situation<'_>, step: &Step) -> Option<Obstacle> {
    if !s.ways().runs_etcd {
        return None;
    }
    obstacle(s, &use_of(s, step)?)
}

fn use_of<'a>(s: &Situation<'_>, step: &'a Step) -> Option<Use<'a>> {
    Some(match step {
        Step::AddLearner { .. } | Step::StartMember(Start::Join { .. }, _) => Use::Join,
        Step::StartMember(Start::Found { .. }, _) => Use::Found,
        Step::StartMember(Start::Resume { loopback_only: false, .. }, _) => Use::Resume(Listens::ToClients),
        Step::StartMember(Start::Resume { loopback_only: true, .. } | Start::Alone, _) => Use::Resume(Listens::OnLoopback),
        Step::StopMember(StopReason::NotAnswering) => Use::Restart,
        Step::CreateRecord(record) if record.founder() == Some(s.me()) => match &record.origin {
            Origin::Empty | Origin::Fresh => Use::Found,
            Origin::Survivor { .. } => Use::RestoreOwn,
            Origin::Snapshot { key } => Use::Restore(key),
        },
        Step::CreateRecord(record) if record.state == State::Established && s.seen.local.reattached.is_some() => Use::Adopt,
        Step::AdoptData { .. } => Use::Adopt,
        Step::RestoreOwnData { .. } => Use::RestoreOwn,
        Step::FetchSnapshot { key } | Step::RestoreSnapshot { key, .. } => Use::Restore(key),
        _ => return None,
    })
}

fn obstacle(s: &Situation<'_>, what: &Use<'_>) -> Option<Obstacle> {
    try_it(s, what).err()
}

fn try_it(s: &Situation<'_>, what: &Use<'_>) -> Result<(), Obstacle> {
    let here = &s.seen.local.etcd;
    let Some(own) = here.version.fresh().copied() else {
        return Err(Obstacle::Unsure(explain::is_not_known(&here.version.why_not_fresh())));
    };
    if let Some(message) = &here.flag_refused {
        return Err(Obstacle::Refused(StartRefusal::Flag, explain::flags_are_refused(own, message)));
    }
    match what {
        Use::Join => fits_cluster(s, own).and_then(|()| did_not_end_for_good(s)),
        Use::Found => Ok(()),
        Use::Resume(_) | Use::Restart => fits_cluster_of_data(s, own).and_then(|()| fits_data(s, own)),
        Use::RestoreOwn => not_below(own, s.data().and_then(|d| d.version), &Whose::Data),
        Use::Adopt => not_below(own, s.seen.local.reattached.as_ref().and_then(|m| m.data.version), &Whose::Data),
        Use::Restore(key) => not_below(own, version_of(s, key), &Whose::Snapshot),
    }?;
    ports_are_free(s, what)
}

/// Requires that a joiner's last etcd did not end for a cause that the next start would meet again. A member with data is started all the same, as it keeps its place
/// meanwhile; a joiner would block every other change as a learner that makes no progress, and be removed and added again and again. A port may be free again.
fn did_not_end_for_good(s: &Situation<'_>) -> Result<(), Obstacle> {
    match s.seen.local.etcd.ended {
        Some(StartRefusal::Port) if s.memory.local.starts.is_empty() => Ok(()),
        Some(why) => Err(Obstacle::Refused(why, explain::would_end_again(s.last_exit()))),
        None => Ok(()),
    }
}

fn refused(own: EtcdVersion, other: EtcdVersion, whose: Whose) -> Obstacle {
    Obstacle::Refused(StartRefusal::Version, explain::does_not_start(&VersionGap { own, other, whose }))
}

fn refused_to_join(own: EtcdVersion, other: EtcdVersion) -> Obstacle {
    let gap = VersionGap { own, other, whose: Whose::Cluster };
    Obstacle::Refused(StartRefusal::Version, explain::does_not_join(&gap))
}

fn is_next_or_same(own: EtcdVersion, other: EtcdVersion) -> bool {
    own == other || own == other.next()
}

/// Whether this etcd fits the cluster's version as etcd reports it. For the first seconds of a cluster's life etcd reports none, and after a restore the old
/// one. Then the lowest version of all voters is taken, as etcd itself will do within seconds.
fn fits_cluster(s: &Situation<'_>, own: EtcdVersion) -> Result<(), Obstacle> {
    let Some(membership) = s.membership() else {
        return Err(Obstacle::Unsure(explain::cluster_has_not_said()));
    };
    let lowest = lowest_of_voters(s, membership);
    let told = s.seen.etcd.version.fresh().and_then(|v| v.decided());
    match (told, lowest) {
        (Some(told), _) if is_next_or_same(own, told) => Ok(()),
        (Some(told), Some(lowest)) if lowest > told && is_next_or_same(own, lowest) => {
            Err(Obstacle::Unsure(explain::cluster_has_not_followed(told, lowest)))
        }
        (Some(told), _) => Err(refused_to_join(own, told)),
        (None, Some(lowest)) if is_next_or_same(own, lowest) => Ok(()),
        (None, Some(lowest)) => Err(refused_to_join(own, lowest)),
        (None, None) => Err(Obstacle::Unsure(explain::voters_have_not_said())),
    }
}

/// The lowest version of the voters, once each has reported its own.
fn lowest_of_voters(s: &Situation<'_>, membership: &Membership) -> Option<EtcdVersion> {
    let all: Option<Vec<EtcdVersion>> = membership.voters().map(|m| s.status(m.id).and_then(|status| status.version)).collect();
    all?.into_iter().min()
}

/// Whether this etcd fits the cluster that the data belongs to, by the version that a quorum of it reports. Where none answers, only the data counts: etcd
/// raises the cluster's version only while it can ask every member.
fn fits_cluster_of_data(s: &Situation<'_>, own: EtcdVersion) -> Result<(), Obstacle> {
    let same = s.membership().is_some_and(|m| s.data().is_some_and(|d| d.cluster == Some(m.cluster)));
    let told = s.seen.etcd.version.fresh().filter(|_| same).and_then(|v| v.decided());
    match told {
        Some(told) if !is_next_or_same(own, told) => Err(refused(own, told, Whose::Cluster)),
        Some(_) | None => Ok(()),
    }
}

/// Whether this etcd fits the data's version. A restore keeps the old version in the new data, and etcd raises it within seconds of its first start.
fn fits_data(s: &Situation<'_>, own: EtcdVersion) -> Result<(), Obstacle> {
    let Some(data) = s.data().and_then(|d| d.version) else { return Ok(()) };
    let restored = |r: &Record| matches!(r.origin, Origin::Snapshot { .. } | Origin::Survivor { .. });
    if is_next_or_same(own, data) || (own > data && s.last_record().is_some_and(restored)) {
        return Ok(());
    }
    Err(refused(own, data, Whose::Data))
}

fn not_below(own: EtcdVersion, other: Option<EtcdVersion>, whose: &Whose) -> Result<(), Obstacle> {
    match other {
        Some(other) if own < other => Err(refused(own, other, whose.clone())),
        Some(_) | None => Ok(()),
    }
}

/// The version of the member that the snapshot was read from.
fn version_of(s: &Situation<'_>, key: &SnapshotKey) -> Option<EtcdVersion> {
    EtcdVersion::parse(&s.seen.snapshots.stored.last()?.get(key)?.manifest.etcd_version)
}

fn ports_are_free(s: &Situation<'_>, what: &Use<'_>) -> Result<(), Obstacle> {
    let needed: &[Listens] = match what {
        Use::Restart => &[],
        Use::Join | Use::Adopt | Use::Resume(Listens::ToClients | Listens::ToPeers) => &[Listens::ToPeers, Listens::ToClients],
        Use::Resume(Listens::OnLoopback) => &[Listens::ToPeers, Listens::OnLoopback],
        Use::Found | Use::RestoreOwn | Use::Restore(_) => &[Listens::ToPeers, Listens::ToClients, Listens::OnLoopback],
    };
    let Some(taken) = s.seen.local.etcd.ports_taken.iter().find(|p| needed.contains(&p.listens)) else { return Ok(()) };
    Err(Obstacle::Refused(StartRefusal::Port, explain::port_is_taken(taken)))
}
