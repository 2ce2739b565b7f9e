//! The authority of the cluster's certificates is replaced while its members serve. The charter says how far it is; each step of it is made once all members
//! have made the one before, so a node that is off in between finds its way at its next start.

use crate::charter::{Record, State};
use crate::explain::changing::Reconciles;
use crate::explain::{Message, Wait, rotating as explain};
use crate::memory::{BackoffKey, Order};
use crate::observation::{Member, Membership};
use crate::peer_answer;
use crate::plan::{LockPurpose, Step, StopReason, Via};
use crate::quorum;
use crate::report::Phase;
use crate::rotation::{Rotation, Told, Trust};
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::change;

/// Begins a rotation by this node's order, and carries it on beside the leader.
pub(in crate::planner) fn carry_on(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    let membership = s.membership()?;
    let trust = record.trust()?;
    if s.order() == Some(Order::RotateAuthority) && record.rotation.is_none() {
        let Some(next) = s.seen.local.certificates.fresh()?.next else {
            return Some(Decision::wait(Phase::Voter, explain::makes_the_next()).again_in(s.policy.retry));
        };
        return Some(write(s, record, Record { rotation: Some(Rotation::To(next)), ..change::successor(record) }));
    }
    if !s.leads() {
        return None;
    }
    let next = match record.rotation? {
        Rotation::To(next) if all(s, membership, |told| told.loaded.covers(&trust)) => {
            Record { authority: Some(next), rotation: record.authority.map(Rotation::From), ..change::successor(record) }
        }
        Rotation::From(_) if all(s, membership, |told| told.files.authority == trust.authority) => {
            Record { rotation: None, ..change::successor(record) }
        }
        Rotation::To(_) | Rotation::From(_) => return None,
    };
    Some(write(s, record, next))
}

fn write(s: &Situation<'_>, record: &Record, next: Record) -> Decision {
    let message = explain::writes(record, &next);
    let decision = change::write(s, Phase::Voter, next, Reconciles::Rotation);
    if decision.step.is_some() { Decision { message, ..decision } } else { decision }
}

/// What this node tells of its own certificates.
fn own(s: &Situation<'_>) -> Option<Told> {
    peer_answer::certificates(s.seen, s.memory)
}

fn told(s: &Situation<'_>, member: &Member) -> Option<Told> {
    if s.my_member().is_some_and(|me| me.id == member.id) {
        return own(s);
    }
    // What a stranger says at its address must not carry a rotation on.
    let instance = s.instance_of(member).filter(|instance| s.trusts(instance))?;
    s.peer(&instance)?.certificates
}

fn all(s: &Situation<'_>, membership: &Membership, is_so: impl Fn(&Told) -> bool) -> bool {
    membership.members.iter().all(|member| told(s, member).is_some_and(|told| is_so(&told)))
}

/// Restarts this node's etcd where it has to read its authorities again: one member at a time, while the others serve, the leader last.
pub(in crate::planner) fn reload(s: &Situation<'_>) -> Option<Decision> {
    let wanted = s.record().filter(|r| r.state == State::Established)?.trust()?;
    let own = own(s).filter(|own| own.files.accepts_as(&wanted) && !own.loaded.accepts_as(&wanted))?;
    let membership = s.membership()?;
    let me = s.my_member().filter(|m| !m.learner && s.runs())?;
    let others: Vec<&Member> = membership.voters().filter(|m| m.id != me.id).collect();
    if others.is_empty() {
        return Some(stop(&own.loaded));
    }
    if let Some(why) = obstacle(s, membership, &others) {
        return Some(wait(s, why));
    }
    if membership.leader != Some(me.id) {
        return Some(stop(&own.loaded).under_lock(LockPurpose::Reload));
    }
    let behind = others.iter().find(|m| !told(s, m).is_some_and(|told| told.loaded.accepts_as(&wanted)));
    if let Some(behind) = behind {
        return Some(wait(s, explain::leader_is_last(behind)));
    }
    Some(hand_over(s, me))
}

fn obstacle(s: &Situation<'_>, membership: &Membership, others: &[&Member]) -> Option<Wait> {
    if let Some(learner) = membership.learner() {
        return Some(explain::learner_first(learner));
    }
    if let Some(silent) = others.iter().find(|m| !s.is_healthy(m.id)) {
        return Some(explain::is_not_healthy(silent));
    }
    // Of two voters neither can be without the other: a third joins first.
    (!quorum::has_quorum(others.len() + 1, others.len())).then(explain::third_voter_first)
}

fn hand_over(s: &Situation<'_>, me: &Member) -> Decision {
    let Some(heir) = s.via_other() else { return wait(s, explain::no_heir()) };
    match me.client_url {
        Some(url) if !s.memory.waits(BackoffKey::MoveLeader, s.now) => {
            let step = Step::MoveLeader { via: Via::new(me.id, url), to: heir.member };
            Decision::act(Phase::Voter, step, explain::hands_over(heir.member)).under_lock(LockPurpose::Reload)
        }
        _ => wait(s, explain::no_heir()),
    }
}

fn stop(loaded: &Trust) -> Decision {
    let message: Message = explain::restarts(loaded);
    Decision::act(Phase::Voter, Step::StopMember(StopReason::Reload), message)
}

fn wait(s: &Situation<'_>, wait: Wait) -> Decision {
    Decision::wait(Phase::Voter, wait).again_in(s.policy.retry)
}
