//! Joining an established cluster: as a learner, one at a time, with no departed voter in the way.

use std::net::IpAddr;

use crate::charter::State;
use crate::explain::joining as explain;
use crate::explain::{Wait, removing};
use crate::ids::{Generation, InstanceId, MemberId};
use crate::memory::BackoffKey;
use crate::observation::{Hook, Lock, Member, Membership, Transition};
use crate::plan::{AsideReason, HookResult, LockPurpose, Start, Step, StopReason, peer_url};
use crate::quorum;
use crate::report::Phase;
use crate::role::Role;
use crate::situation::{Charter, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, hooks, joining, members, phase, version, worker};

/// The joiner's own steps, while its disk is empty or its learner is not promoted yet.
pub(in crate::planner) fn decide(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record()?;
    if record.state != State::Established || !s.disk_is_empty() || s.runs() {
        return None;
    }
    let Some(membership) = s.membership().filter(|m| Some(m.cluster) == record.etcd_cluster) else {
        if s.seen.me.role == Role::ControlPlane {
            return Some(join_server(s, record.generation));
        }
        return Some(Decision::wait(Phase::Joining, explain::no_voter_answers_with_quorum()).again_in(s.policy.retry));
    };
    let own: Vec<&Member> = s.own_entries(&membership.members).collect();
    if let Some(stale) = own.iter().find(|m| !is_adoptable(m)) {
        return Some(remove_stale(s, stale, membership));
    }
    if let Some(stale) = trim_own(s, membership) {
        return Some(stale);
    }
    match own.first() {
        _ if s.seen.me.role == Role::ControlPlane => Some(join_server(s, record.generation)),
        Some(entry) => Some(start(s, record.generation, entry.id, membership)),
        None => Some(add(s, membership)),
    }
}

/// Servers that have been away for long, all of them, may be lost with their data: nobody is left to admit anybody.
fn awaits_admission(s: &Situation<'_>) -> Decision {
    let voters: Vec<&InstanceId> = s.record().into_iter().flat_map(|r| &r.voters).map(|v| &v.instance).collect();
    if voters.is_empty() || voters.iter().any(|id| s.peer(id).is_some()) {
        return Decision::wait(Phase::Joining, explain::awaits_admission()).again_in(s.policy.retry);
    }
    let lasting = voters.iter().all(|id| s.memory.silent_for(id, s.now) >= s.policy.quorum_loss_grace);
    let wait = if lasting { explain::nobody_has_admitted_for_long(&voters) } else { explain::nobody_admits(&voters) };
    Decision { needs_operator: lasting, ..Decision::wait(Phase::Joining, wait).again_in(s.policy.retry) }
}

/// The others take a server's word that its data is gone only where nobody else can speak for it.
fn awaits_own_removal(s: &Situation<'_>) -> Decision {
    if s.policy.network_trusted {
        return Decision::wait(Phase::Joining, explain::awaits_own_removal()).again_in(s.policy.retry);
    }
    Decision::halt(Phase::Joining, explain::nobody_takes_its_word()).again_in(s.policy.retry)
}

/// A distribution's server adds its own member as it starts; until then it has no credentials for etcd, and a voter's agent lets it in.
fn join_server(s: &Situation<'_>, generation: Generation) -> Decision {
    if s.memory.waits(BackoffKey::Start, s.now) {
        return Decision::wait(Phase::Joining, explain::started_server_just_now()).again_in(s.policy.retry);
    }
    if s.record().is_some_and(|r| r.lists(s.me())) {
        return awaits_own_removal(s);
    }
    let Some((host, server)) = admitted_by(s) else {
        if joining::is_spare(s) {
            return spare(s);
        }
        return awaits_admission(s);
    };
    let step = Step::StartMember(Start::JoinServer { generation, server });
    Decision::act(Phase::Joining, step, explain::starts_server(host))
}

/// The voter whose agent admits this node, and its address.
fn admitted_by<'a>(s: &Situation<'a>) -> Option<(&'a InstanceId, IpAddr)> {
    let admits = |id: &&InstanceId| s.peer(id).is_some_and(|p| p.control_plane.admits.as_ref() == Some(s.me()));
    let host = s.seen.peers.keys().filter(admits).find(|id| s.record().is_some_and(|r| r.lists(id)))?;
    Some((host, s.memory.kept.seen.get(host)?.address?))
}

/// Only a learner that never started is adopted; the data of any other entry would have to be on this disk.
fn is_adoptable(member: &Member) -> bool {
    member.learner && member.name.is_none()
}

/// A named entry of this instance, or of one whose address it now has, whose data this disk does not hold.
fn remove_stale(s: &Situation<'_>, stale: &Member, membership: &Membership) -> Decision {
    let voters = membership.voters().count();
    let healthy = membership.voters().filter(|m| m.id != stale.id && s.is_healthy(m.id)).count();
    if !stale.learner && !quorum::survives_removal(voters, healthy) {
        return Decision::wait(Phase::Joining, removing::own_stale_is_needed(stale, healthy, voters - 1)).again_in(s.policy.retry);
    }
    change::removal(s, Phase::Joining, stale, removing::own_stale(stale))
}

/// The stale voter removed above must be struck from the charter too, before it is added again.
fn trim_own(s: &Situation<'_>, membership: &Membership) -> Option<Decision> {
    let listed_without_vote = membership.voters().all(|m| s.instance_of(m).as_ref() != Some(s.me()));
    let own = if listed_without_vote { change::trim(s, Phase::Joining, s.me()) } else { None };
    own.or_else(|| trim_what_was_removed(s, membership))
}

/// The stale entry may have been another's, whose address this instance has now: under the lock that its removal took, it is struck as well.
fn trim_what_was_removed(s: &Situation<'_>, membership: &Membership) -> Option<Decision> {
    let removed = s.record()?.voters.iter().find(|v| membership.get(v.member).is_none()).filter(|_| s.holds_lock())?;
    change::trim(s, Phase::Joining, &removed.instance)
}

fn start(s: &Situation<'_>, generation: crate::ids::Generation, own: MemberId, membership: &Membership) -> Decision {
    if s.memory.waits(BackoffKey::Start, s.now) {
        return Decision::wait(Phase::Joining, explain::started_etcd_just_now()).again_in(s.policy.retry).under_lock(LockPurpose::Join);
    }
    let name = |m: &Member| match (&m.name, m.id == own) {
        (_, true) => s.me().to_string(),
        (Some(name), false) => name.to_string(),
        (None, false) => m.id.to_string(),
    };
    if let Some(stranger) = membership.strangers().next() {
        return Decision::halt(Phase::Joining, explain::stranger_is_in_the_way(stranger)).again_in(s.policy.retry);
    }
    let initial_cluster = membership.members.iter().filter_map(|m| Some((name(m), m.peer_url.url()?))).collect();
    let step = Step::StartMember(Start::Join { generation, initial_cluster });
    Decision::act(Phase::Joining, step, explain::starts_as_learner()).under_lock(LockPurpose::Join)
}

fn add(s: &Situation<'_>, membership: &Membership) -> Decision {
    if let Some(why) = obstacle(s, membership) {
        return Decision::wait(Phase::Joining, why).again_in(s.policy.retry);
    }
    if joining::is_spare(s) {
        return spare(s);
    }
    let Some(via) = s.via_any() else {
        return Decision::wait(Phase::Joining, explain::no_voter_answers()).again_in(s.policy.retry);
    };
    if s.memory.waits(BackoffKey::AddLearner, s.now) {
        return Decision::wait(Phase::Joining, explain::etcd_refused_to_add(s.memory.last_trouble.as_deref())).again_in(s.policy.retry / 2);
    }
    let step = Step::AddLearner { via, peer_url: peer_url(s.seen.me.address) };
    Decision::act(Phase::Joining, step, explain::asks_to_be_added()).under_lock(LockPurpose::Join)
}

/// What has to be settled by others before this node may be added; looked at before the lock is taken.
fn obstacle(s: &Situation<'_>, membership: &Membership) -> Option<Wait> {
    if let Some((member, _)) = s.departed_voter() {
        return Some(explain::departed_voter_is_listed(member));
    }
    if let Some(stranger) = membership.strangers().next() {
        return Some(explain::stranger_is_in_the_way(stranger));
    }
    if let Some(learner) = membership.learner() {
        return Some(explain::another_learns(learner));
    }
    if let Some((member, instance)) = members::not_at_its_address(s, membership) {
        return Some(explain::voter_has_moved(member, &instance));
    }
    if let Some(silent) = membership.voters().find(|m| !s.is_healthy(m.id)) {
        return Some(explain::voter_is_silent(silent));
    }
    None
}

fn spare(s: &Situation<'_>) -> Decision {
    let spare = Decision::rest(Phase::Spare, explain::is_spare());
    phase::with_remarks(s, spare)
}

/// The join waits for nothing but this node itself; asked by [`crate::tracker::absorb`], which counts the join deadline from it.
pub(crate) fn is_up_to_this_node(s: &Situation<'_>) -> bool {
    if s.seen.me.role == Role::Worker {
        return worker::is_up_to_this_node(s);
    }
    let Charter::Known(record) = &s.charter else { return false };
    if s.membership().is_none() && s.seen.me.role == Role::ControlPlane {
        return record.state == State::Established && s.paused().is_none() && admitted_by(s).is_some();
    }
    let Some(membership) = s.membership().filter(|_| s.paused().is_none()) else { return false };
    if record.state != State::Established || joining::is_spare(s) || s.my_member().is_some_and(|m| !m.learner) {
        return false;
    }
    let waits_for_lock = matches!(s.lock(), Some(Lock::Other { .. }));
    let waits_for_promotion = s.my_member().is_some() && is_near(s, membership);
    if waits_for_lock || waits_for_promotion {
        return false;
    }
    let mine = s.own_entries(&membership.members).next().is_some();
    let others_settled = membership.voters().all(|m| s.is_healthy(m.id)) && s.departed_voter().is_none();
    others_settled && (mine || membership.learner().is_none())
}

/// This node's learner is caught up: only its promotion is missing, which is the leader's agent's.
fn is_near(s: &Situation<'_>, membership: &Membership) -> bool {
    let index = membership.leader.and_then(|l| s.status(l)).map(|l| l.index);
    let applied = s.my_member().and_then(|m| s.status(m.id)).map(|m| m.applied);
    index.zip(applied).is_some_and(|(index, applied)| index.saturating_sub(applied) <= s.policy.caught_up_lag)
}

/// Past the deadline a learner undoes what it did, and its launch is given up; a voter or founder never does.
pub(in crate::planner) fn give_up(s: &Situation<'_>) -> Option<Decision> {
    if s.departure().is_some() {
        return None;
    }
    if let Some(refused) = give_up_refused(s) {
        return Some(refused);
    }
    if !joining::deadline_passed(s) {
        return None;
    }
    let why = explain::TOO_LATE;
    let Some(membership) = s.membership() else { return give_up_server(s, why) };
    let own: Vec<&Member> = s.own_entries(&membership.members).collect();
    if own.iter().any(|m| !m.learner) {
        return None;
    }
    if let Some(entry) = own.first() {
        return Some(change::removal(s, Phase::Joining, entry, removing::own_learner(entry, &why)));
    }
    // A record may have named it for its promotion.
    if let Some(trimmed) = change::trim(s, Phase::Joining, s.me()) {
        return Some(trimmed);
    }
    if s.runs() {
        return Some(Decision::act(Phase::Joining, Step::StopMember(StopReason::GiveUp), explain::stops_etcd(&why)));
    }
    if s.data().is_some() {
        return Some(Decision::act(Phase::Joining, Step::PutDataAside { why: AsideReason::GaveUpJoin }, explain::puts_data_aside(&why)));
    }
    let Some(hook) = hooks::open(s, Transition::Launching).next() else { return Some(ask_to_be_replaced(s, membership, why)) };
    Some(abandon(s, hook, why))
}

/// etcd's version does not fit, which no waiting mends: what was begun is undone, and the launch given up, as soon as the others may have heard why. Where
/// no launch is open there is nothing to give up: whoever came in this node's place would have the same image.
fn give_up_refused(s: &Situation<'_>) -> Option<Decision> {
    let membership =
        s.membership().filter(|m| s.record().is_some_and(|r| r.state == State::Established && r.etcd_cluster == Some(m.cluster)))?;
    let why = version::joins_never(s).filter(|_| !joining::is_spare(s))?;
    let own: Vec<&Member> = s.own_entries(&membership.members).collect();
    if own.iter().any(|m| !m.learner) {
        return None;
    }
    if let Some(entry) = own.first() {
        return Some(change::removal(s, Phase::Joining, entry, removing::own_learner(entry, &why)));
    }
    let loudly = |decision| Decision { needs_operator: true, ..decision };
    let Some(hook) = hooks::open(s, Transition::Launching).next() else {
        return Some(Decision::halt(Phase::Joining, explain::is_refused(&why)));
    };
    let heard_at = s.memory.local.refused.map_or(s.now, |(_, since)| since) + s.policy.aws_hurry * LOOKS_TO_HEAR;
    if s.now < heard_at {
        return Some(loudly(Decision::wait(Phase::Joining, explain::gives_up_soon(&why)).until(Some(heard_at)).again_in(s.policy.retry)));
    }
    Some(loudly(abandon(s, hook, &why)))
}

/// Who leaves looks for its replacement at each of AWS' answers, and asks it by its address then.
const LOOKS_TO_HEAR: u32 = 3;

/// A server that never got so far as to read etcd: it was admitted, and its unit does not come up.
fn give_up_server(s: &Situation<'_>, why: &str) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established && !r.lists(s.me()))?;
    if s.seen.me.role != Role::ControlPlane || !s.disk_is_empty() || record.founder() == Some(s.me()) {
        return None;
    }
    let hook = hooks::open(s, Transition::Launching).next()?;
    Some(abandon(s, hook, why))
}

fn abandon(s: &Situation<'_>, hook: &Hook, why: &str) -> Decision {
    if s.memory.hook_waits(&hook.hook, s.me(), s.now) {
        return Decision::wait(Phase::Joining, explain::abandon_was_not_taken(&hook.hook)).again_in(s.policy.retry);
    }
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result: HookResult::Abandon };
    Decision::act(Phase::Joining, step, explain::abandons(&why))
}

/// The launch is over, so only the group can replace this instance: it is asked once, while every voter is healthy without it.
fn ask_to_be_replaced(s: &Situation<'_>, membership: &Membership, why: &str) -> Decision {
    let halted = |wait| Decision::halt(Phase::Halted, wait);
    if s.memory.hooks.completed.iter().any(|(_, instance)| instance == s.me()) {
        return Decision::wait(Phase::Joining, explain::awaits_replacement(&why));
    }
    if s.memory.reported_unhealthy || s.memory.waits(BackoffKey::ReportUnhealthy, s.now) {
        return halted(explain::awaits_replacement(&why));
    }
    if let Some(sick) = membership.voters().find(|m| !s.is_healthy(m.id)) {
        return halted(explain::may_not_ask_yet(&why, sick));
    }
    halted(explain::asks_to_be_replaced(&why)).with_step(Step::ReportUnhealthy).under_lock(LockPurpose::ReportUnhealthy)
}
