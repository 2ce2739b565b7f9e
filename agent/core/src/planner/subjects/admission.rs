//! Admitting servers of a distribution, one at a time. A server that has not joined has no credentials to read etcd or to take the lock: the agent
//! beside the leader takes the lock for it, and says so in its answers to peers.

use std::net::IpAddr;

use crate::charter::State;
use crate::explain;
use crate::ids::InstanceId;
use crate::memory::Admission;
use crate::observation::{Alarm, DataClaim, Member, PeerAnswer};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::cover;

/// This node may join as a server and waits for its admission; asked by [`crate::tracker::absorb`], and reported to the peers.
pub(crate) fn seeks_admission(s: &Situation<'_>) -> bool {
    let established = s.record().is_some_and(|r| r.state == State::Established && !r.lists(s.me()));
    let may = s.ways().is_let_in && established && s.disk_is_empty() && s.is_stopped();
    may && s.departure().is_none() && s.paused().is_none() && !s.is_warm() && s.seen.local.shutdown.is_none()
}

/// The server that the agent beside the leader admits now; asked by [`crate::tracker::absorb`]. It stays the same until its member is in the list
/// or the patience is over, whatever happens to a voter meanwhile: the server may be adding its member just now.
pub(crate) fn admission(s: &Situation<'_>) -> Option<Admission> {
    if !s.ways().is_let_in || s.paused().is_some() {
        return None;
    }
    let goes_on = |a: &&Admission| is_on_its_way(s, &a.instance) && s.now.since(a.since) < s.policy.learner_patience;
    let before = || s.memory.servers.admission.as_ref().filter(goes_on).cloned();
    if !s.leads() {
        // A look that found no quorum does not show which member leads.
        return before().filter(|_| s.membership().is_none_or(|m| m.leader.is_none()));
    }
    if let Some(learner) = s.membership().and_then(|m| m.learner()) {
        return come_back(s, learner).or_else(before);
    }
    before().or_else(|| {
        let instance = if may_be_joined(s) && cover::before_admission(s).is_none() { next(s) } else { None }?;
        Some(Admission { instance, since: s.now })
    })
}

/// This learner's server ended before its member had started, and is admitted again to start it: it waits for the lock that is held for it.
pub(in crate::planner) fn awaits_start(s: &Situation<'_>, learner: &Member) -> bool {
    let admitted = s.memory.servers.admission.as_ref().map(|a| &a.instance);
    learner.name.is_none() && admitted.is_some() && s.instance_of(learner).as_ref() == admitted
}

/// The snapshot before the change that the next admitted server makes.
pub(in crate::planner) fn prepare(s: &Situation<'_>) -> Option<Decision> {
    let may = s.ways().is_let_in && s.leads() && s.membership()?.learner().is_none() && may_be_joined(s);
    let instance = next(s).filter(|_| may)?;
    let snapshot = cover::before_admission(s)?;
    let message = explain::duties::is_about_to_admit(&instance, &snapshot.message);
    Some(snapshot.told(message))
}

/// Admits again the server of a learner that was added and never started. etcd takes one learner at a time, so this one keeps all others out; its server,
/// which ended just then, adopts it when it starts again.
fn come_back(s: &Situation<'_>, learner: &Member) -> Option<Admission> {
    let instance = s.instance_of(learner).filter(|id| learner.name.is_none() && seeks(s, id))?;
    let before = s.memory.servers.admission.clone().filter(|a| a.instance == instance);
    Some(before.unwrap_or(Admission { instance, since: s.now }))
}

fn seeks(s: &Situation<'_>, id: &InstanceId) -> bool {
    s.peer(id).is_some_and(|p| p.control_plane.seeks && !p.leaving) && !s.is_on_its_way_out(id) && !s.is_gone(id)
}

/// Whether a server may join: etcd adds none while a voter is unreachable, and the cluster may be at its limit.
fn may_be_joined(s: &Situation<'_>) -> bool {
    let Some(membership) = s.membership() else { return false };
    let leaving = membership.voters().any(|m| s.instance_of(m).is_some_and(|i| s.is_leaving(&i)));
    let all_answer = s.departed_voter().is_none() && membership.voters().all(|m| s.is_healthy(m.id));
    all_answer && !s.has_alarm(Alarm::Corrupt) && membership.voters().count() < s.policy.max_voters + usize::from(leaving)
}

/// Whether an admitted server still waits, or has started and its member is awaited. A silent one may still be adding its member, and so may one whose agent
/// has just started, or that has been ordered to leave meanwhile and has not stopped its server yet; but not one whose member is in the list.
fn is_on_its_way(s: &Situation<'_>, instance: &InstanceId) -> bool {
    let joins = |p: &PeerAnswer| p.control_plane.seeks || matches!(p.phase, Phase::Joining | Phase::Starting | Phase::Waiting);
    let may_add = match s.peer(instance) {
        Some(p) if p.leaving => p.data != DataClaim::None,
        // It may not have heard yet what EC2 or its group says of it.
        Some(p) => joins(p),
        None => !s.is_on_its_way_out(instance),
    };
    may_add && !s.is_gone(instance) && !is_member(s, instance)
}

fn is_member(s: &Situation<'_>, instance: &InstanceId) -> bool {
    s.membership().is_some_and(|m| m.members.iter().any(|m| s.instance_of(m).as_ref() == Some(instance)))
}

/// The next server by id; one that was admitted in vain, before or just now, comes last.
fn next(s: &Situation<'_>) -> Option<InstanceId> {
    let waiting: Vec<&InstanceId> = s.seen.peers.keys().filter(|id| seeks(s, id)).collect();
    let in_vain = [s.memory.servers.passed_over.as_ref(), s.memory.servers.admission.as_ref().map(|a| &a.instance)];
    let fresh = waiting.iter().find(|id| !in_vain.contains(&Some(**id)));
    fresh.or(waiting.first()).map(|id| (*id).clone())
}

/// The voter whose agent admits this node, and its address.
pub(in crate::planner) fn admitted_by<'a>(s: &Situation<'a>) -> Option<(&'a InstanceId, IpAddr)> {
    let admits = |id: &&InstanceId| s.peer(id).is_some_and(|p| p.control_plane.admits.as_ref() == Some(s.me()));
    let host = s.seen.peers.keys().filter(admits).find(|id| s.record().is_some_and(|r| r.lists(id)))?;
    Some((host, s.memory.kept.seen.get(host)?.address?))
}
