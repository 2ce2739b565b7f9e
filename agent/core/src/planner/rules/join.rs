//! Joining an established cluster: as a learner, one at a time, with no departed voter in the way.

use std::net::IpAddr;

use crate::charter::State;
use crate::ids::{Generation, InstanceId, MemberId};
use crate::memory::BackoffKey;
use crate::observation::{Hook, Lock, Member, Membership, Transition};
use crate::plan::{HookResult, LockPurpose, Start, Step, StopReason, peer_url};
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
        return Some(
            Decision::wait(Phase::Joining, "waits for a voter of the established cluster to answer with quorum").again_in(s.policy.retry),
        );
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
        return Decision::wait(Phase::Joining, "waits until the agent beside the leader admits it: servers join one at a time")
            .again_in(s.policy.retry);
    }
    let names = voters.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    let says = format!("waits for a server to admit it: of those that the charter names none answers ({names})");
    let lasting = voters.iter().all(|id| s.memory.silent_for(id, s.now) >= s.policy.quorum_loss_grace);
    let remedy = if lasting { "; if their data is lost, `quorate recover` on whoever still holds some shows the ways back" } else { "" };
    Decision { needs_operator: lasting, ..Decision::wait(Phase::Joining, format!("{says}{remedy}")).again_in(s.policy.retry) }
}

/// The others take a server's word that its data is gone only where nobody else can speak for it.
fn awaits_own_removal(s: &Situation<'_>) -> Decision {
    const AWAITED: &str = "waits until the member that it was is removed, and struck from the charter";
    if s.policy.network_trusted {
        return Decision::wait(Phase::Joining, AWAITED).again_in(s.policy.retry);
    }
    let remedy = "its disk is empty, and without TLS nobody takes its word for that: terminate the instance, whose successor joins, or set \
                  `peer.i_trust_this_network_without_tls` on all servers";
    Decision { needs_operator: true, ..Decision::wait(Phase::Joining, format!("{AWAITED}; {remedy}")).again_in(s.policy.retry) }
}

/// A distribution's server adds its own member as it starts; until then it has no credentials for etcd, and a voter's agent lets it in.
fn join_server(s: &Situation<'_>, generation: Generation) -> Decision {
    if s.memory.waits(BackoffKey::Start, s.now) {
        return Decision::wait(Phase::Joining, "started the server a moment ago; waits for it, or to start it again")
            .again_in(s.policy.retry);
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
    Decision::act(Phase::Joining, step, format!("starts the server to join through {host}, which admits it"))
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
        let says = format!("its own stale entry {stale} cannot be removed while only {healthy} of {} other voters are healthy", voters - 1);
        return Decision::wait(Phase::Joining, says).again_in(s.policy.retry);
    }
    change::removal(s, Phase::Joining, stale, format!("removes its own stale entry {stale}: this disk does not hold its data"))
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
        return Decision::wait(Phase::Joining, "started etcd a moment ago; waits for it, or to start it again")
            .again_in(s.policy.retry)
            .under_lock(LockPurpose::Join);
    }
    let name = |m: &Member| match (&m.name, m.id == own) {
        (_, true) => s.me().to_string(),
        (Some(name), false) => name.to_string(),
        (None, false) => m.id.to_string(),
    };
    if let Some(stranger) = membership.strangers().next() {
        return Decision::halt(Phase::Joining, members::in_the_way(stranger)).again_in(s.policy.retry);
    }
    let initial_cluster = membership.members.iter().filter_map(|m| Some((name(m), m.peer_url.url()?))).collect();
    let step = Step::StartMember(Start::Join { generation, initial_cluster });
    Decision::act(Phase::Joining, step, "starts etcd as the learner that was added").under_lock(LockPurpose::Join)
}

fn add(s: &Situation<'_>, membership: &Membership) -> Decision {
    if let Some(why) = obstacle(s, membership) {
        return Decision::wait(Phase::Joining, why).again_in(s.policy.retry);
    }
    if joining::is_spare(s) {
        return spare(s);
    }
    let Some(via) = s.via_any() else {
        return Decision::wait(Phase::Joining, "no healthy voter answers").again_in(s.policy.retry);
    };
    if s.memory.waits(BackoffKey::AddLearner, s.now) {
        let trouble = s.memory.last_trouble.as_deref().unwrap_or("no reason given");
        return Decision::wait(Phase::Joining, format!("etcd refused to add it a moment ago: {trouble}")).again_in(s.policy.retry / 2);
    }
    let step = Step::AddLearner { via, peer_url: peer_url(s.seen.me.address) };
    Decision::act(Phase::Joining, step, "asks to be added as a learner").under_lock(LockPurpose::Join)
}

/// What has to be settled by others before this node may be added; looked at before the lock is taken.
fn obstacle(s: &Situation<'_>, membership: &Membership) -> Option<String> {
    if let Some((member, _)) = s.departed_voter() {
        return Some(format!("waits until departed voter {member} is removed: etcd adds nobody while a voter is unreachable"));
    }
    if let Some(stranger) = membership.strangers().next() {
        return Some(members::in_the_way(stranger));
    }
    if let Some(learner) = membership.learner() {
        return Some(format!("waits until learner {learner} is promoted: etcd takes one learner at a time"));
    }
    if let Some((member, instance)) = members::not_at_its_address(s, membership) {
        return Some(format!("waits until voter {member} is listed at the address of {instance}, to which its volume was moved"));
    }
    if let Some(silent) = membership.voters().find(|m| !s.is_healthy(m.id)) {
        return Some(format!("waits until voter {silent} answers: etcd adds nobody while a voter is unreachable"));
    }
    None
}

fn spare(s: &Situation<'_>) -> Decision {
    let spare = Decision::wait(Phase::Spare, "the cluster has all the voters that it may have; waits un-joined as a spare");
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
    let why = "it could not join within its deadline";
    let Some(membership) = s.membership() else { return give_up_server(s, why) };
    let own: Vec<&Member> = s.own_entries(&membership.members).collect();
    if own.iter().any(|m| !m.learner) {
        return None;
    }
    if let Some(entry) = own.first() {
        return Some(change::removal(s, Phase::Joining, entry, format!("removes its own learner {entry}: {why}")));
    }
    // A record may have named it for its promotion.
    if let Some(trimmed) = change::trim(s, Phase::Joining, s.me()) {
        return Some(trimmed);
    }
    if s.runs() {
        return Some(Decision::act(Phase::Joining, Step::StopMember(StopReason::GiveUp), format!("stops etcd: {why}")));
    }
    if s.data().is_some() {
        return Some(Decision::act(Phase::Joining, Step::PutDataAside { why: "gave-up-join" }, format!("puts its data aside: {why}")));
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
        return Some(change::removal(s, Phase::Joining, entry, format!("removes its own learner {entry}: {why}")));
    }
    let loudly = |decision| Decision { needs_operator: true, ..decision };
    let Some(hook) = hooks::open(s, Transition::Launching).next() else { return Some(Decision::halt(Phase::Joining, why)) };
    let heard_at = s.memory.local.refused.map_or(s.now, |(_, since)| since) + s.policy.aws_hurry * LOOKS_TO_HEAR;
    if s.now < heard_at {
        let says = format!("{why}; gives its launch up as soon as the others have had the time to hear of it");
        return Some(loudly(Decision::wait(Phase::Joining, says).until(Some(heard_at)).again_in(s.policy.retry)));
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
        return Decision::wait(Phase::Joining, format!("waits until the group takes ABANDON for hook {}", hook.hook))
            .again_in(s.policy.retry);
    }
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result: HookResult::Abandon };
    Decision::act(Phase::Joining, step, format!("abandons its launch: {why}"))
}

/// The launch is over, so only the group can replace this instance: it is asked once, while every voter is healthy without it.
fn ask_to_be_replaced(s: &Situation<'_>, membership: &Membership, why: &str) -> Decision {
    let halted = |says: String| Decision::halt(Phase::Halted, says);
    if s.memory.hooks.completed.iter().any(|(_, instance)| instance == s.me()) {
        return Decision::wait(Phase::Joining, format!("{why}; waits for its group to replace it"));
    }
    if s.memory.reported_unhealthy || s.memory.waits(BackoffKey::ReportUnhealthy, s.now) {
        return halted(format!("{why}; waits for its group to replace it"));
    }
    if let Some(sick) = membership.voters().find(|m| !s.is_healthy(m.id)) {
        return halted(format!("{why}; does not ask to be replaced while voter {sick} does not answer"));
    }
    halted(format!("{why}; reports itself unhealthy, for its group to replace it"))
        .with_step(Step::ReportUnhealthy)
        .under_lock(LockPurpose::ReportUnhealthy)
}
