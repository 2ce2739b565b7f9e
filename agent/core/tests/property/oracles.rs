//! What must be true of a world in which a step is let through: naive, only from the observation, and sharing nothing with the gate.

mod facts;
mod founding;
mod past;
mod snapshots;
mod tls;
mod versions;

use quorate_core::charter::{Origin, Record, State};
use quorate_core::ids::{InstanceId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::memory::Order;
use quorate_core::observation::{LifecycleState, Member, ShutdownKind, Transition};
use quorate_core::plan::{HookResult, Start, Step, StopReason};
use quorate_core::policy::Recovery;

use super::world::World;
use facts::Facts;

pub(crate) type Judgement = Result<(), &'static str>;

/// Says what is wrong with a step that was let through.
pub(crate) fn judge(step: &Step, w: &World) -> Judgement {
    let f = Facts::new(w);
    let harmless = matches!(step, Step::Heartbeat { .. } | Step::ReleaseLock { .. } | Step::SetPause { .. } | Step::ClearPause { .. });
    must(harmless || !f.is_paused(), "an operator has paused it")?;
    versions::judge(step, &f)?;
    tls::judge(step, &f)?;
    match step {
        Step::Heartbeat { hook } => must(hook.group == w.seen.me.group, "the hook is another group's"),
        Step::CompleteHook { hook, instance, result } => complete(&f, &hook.name.to_string(), instance, *result),
        Step::CreateRecord(record) => founding::record(&f, record),
        Step::StartMember(start, _) => start_member(&f, start),
        Step::StopMember(reason) => stop_member(&f, *reason),
        Step::PutDataAside { .. } => put_aside(&f),
        Step::AdoptData { owner, member } => adopt(&f, owner, *member),
        Step::UpdatePeerUrl { member, peer_url: url, .. } => {
            must(f.holds_lock(), "the lock is not held")?;
            must(f.own_member() == Some(*member) && f.is_healthy(*member), "it is not its own, or does not answer")?;
            must(*url == MemberUrl::new(tls::scheme(&f), w.seen.me.address, 2380), "it is not this instance's address")?;
            must(f.entry(*member).is_some_and(|m| m.name.as_ref() == Some(&w.seen.me.instance)), "another runs it")?;
            must(f.is_the_charters_cluster(), "another etcd cluster answers than the charter's")
        }
        Step::RestoreOwnData { generation, .. } => founding::restore(&f, *generation),
        Step::FetchSnapshot { .. } => {
            let ordered = matches!(w.memory.kept.order, Some(Order::RecoverSnapshot { .. }));
            must(f.disk_is_empty() || ordered || w.policy.recovery == Recovery::Any, "there is data")?;
            must(f.cluster().is_none(), "there is a quorum")
        }
        Step::RestoreSnapshot { key, generation, token, .. } => snapshots::restore(&f, key, *generation, token),
        Step::DropSuperseded => {
            must(f.healthy_is_quorum_of(&f.voters()?), "the new generation has no quorum yet")?;
            must(f.stored().is_some_and(|r| r.etcd_cluster == f.cluster()), "the new generation is not established")
        }
        Step::AcquireLock { .. } | Step::RenewLock { .. } | Step::ReleaseLock { .. } => Ok(()),
        Step::AddLearner { peer_url, .. } => add(&f, *peer_url),
        Step::Promote { member, .. } => promote(&f, *member),
        Step::RemoveMember { member, .. } => remove(&f, *member),
        Step::MoveLeader { to, .. } => {
            must(f.holds_lock(), "the lock is not held")?;
            must(f.voters()?.contains(to) && f.is_healthy(*to), "the next leader is no healthy voter")
        }
        Step::ReportUnhealthy => {
            must(f.holds_lock(), "the lock is not held")?;
            let voters = f.voters()?;
            must(!voters.iter().any(|id| f.is_own(*id)), "it votes")?;
            must(f.healthy_is_quorum_of(&voters), "quorum may be lost")
        }
        Step::SetPause { pause, .. } => must(f.wants_pause(pause), "no operator wants that pause"),
        Step::ClearPause { .. } => must(f.wants_no_pause(), "no operator wants the pause to end"),
        Step::Node(_) => Err("an etcd member has no Kubernetes node"),
        Step::DeregisterTarget { group } => {
            must(group.as_str() == "arn:a", "the operator named another target group")?;
            must(f.is_leaving() && f.instance_goes(), "the instance stays")
        }
        Step::TakeSnapshot(order) => snapshots::take(&f, order),
        Step::DrillSnapshot { key } => snapshots::drill(&f, key),
        Step::PruneSnapshots { keys, abandoned } => snapshots::prune(&f, keys, abandoned),
        Step::ForgetOrder => must(w.memory.kept.order != Some(Order::Leave), "an order to leave stands until the operator takes it back"),
    }
}

pub(crate) fn must(holds: bool, otherwise: &'static str) -> Judgement {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// The charter lists the member here, so no other node founds a cluster in its place.
fn adopt(f: &Facts<'_>, owner: &InstanceId, member: MemberId) -> Judgement {
    let record = volume(f, member)?;
    must(record.voters[0].instance == f.w.seen.me.instance, "the charter lists it elsewhere")?;
    must(f.w.seen.local.reattached.as_ref().is_some_and(|m| m.owner == *owner), "it is not here")
}

/// The record that stands, if its only voter is gone for good and this is the data that it wrote.
pub(crate) fn volume<'a>(f: &Facts<'a>, member: MemberId) -> Result<&'a Record, &'static str> {
    must(f.w.memory.kept.order == Some(Order::RecoverReattachedVolume), "no operator has ordered it")?;
    must(f.is_stopped() && !f.is_leaving(), "etcd may run, or it leaves")?;
    must(f.cluster().is_none(), "there is a quorum")?;
    must(f.w.seen.peers.values().filter_map(|p| p.fresh()).all(|p| p.quorum.is_none()), "an instance sees a quorum")?;
    let moved = f.w.seen.local.reattached.as_ref().ok_or("it is not here")?;
    let record = f.stored().filter(|r| f.can_trust() && f.is_established(r)).ok_or("nothing established can be trusted")?;
    must(record.voters.len() == 1 && record.voters[0].member == member, "others voted, or another")?;
    let listed = &record.voters[0].instance;
    must(f.is_gone(&moved.owner) && (f.is_gone(listed) || *listed == f.w.seen.me.instance), "its owner may come back with it")?;
    must(moved.data.generation == Some(record.generation) && moved.data.member == Some(member), "it is another's data")?;
    must(moved.data.cluster.is_some() && moved.data.cluster == record.etcd_cluster, "it is another etcd cluster's")?;
    Ok(record)
}

fn add(f: &Facts<'_>, url: MemberUrl) -> Judgement {
    must(f.holds_lock(), "the lock is not held")?;
    must(f.is_the_charters_cluster(), "another etcd cluster answers than the charter's")?;
    must(url == MemberUrl::new(tls::scheme(f), f.w.seen.me.address, 2380), "it adds another")?;
    must(f.learners()?.is_empty(), "a learner is there already")?;
    must(f.voters()?.iter().all(|id| f.is_healthy(*id)), "a voter does not answer")?;
    must(f.disk_is_empty() && !f.is_leaving(), "it holds data, or is leaving")
}

fn promote(f: &Facts<'_>, member: MemberId) -> Judgement {
    must(f.holds_lock(), "the lock is not held")?;
    must(f.learners()?.contains(&member) && f.is_healthy(member), "it is no learner that answers")?;
    must(f.can_trust() && f.is_the_charters_cluster(), "the charter cannot be trusted, or is another cluster's")?;
    must(f.stored().is_some_and(|r| r.voters.iter().any(|v| v.member == member)), "the charter does not name it")?;
    let owner = f.entry(member).and_then(|m| f.owner_of(&m)).ok_or("its owner is not known")?;
    must(!f.is_going(&owner), "its instance goes")?;
    let departed = |m: &quorate_core::observation::Member| f.owner_of(m).is_some_and(|id| id != f.w.seen.me.instance && f.is_departed(&id));
    must(!f.members()?.iter().any(|m| !m.learner && departed(m)), "a departed voter is to go first")?;
    let mut voters = f.voters()?;
    voters.push(member);
    must(f.healthy_is_quorum_of(&voters), "the new list has no healthy quorum")
}

fn remove(f: &Facts<'_>, member: MemberId) -> Judgement {
    must(f.holds_lock() || (f.own_member() == Some(member) && f.may_leave_without_the_lock()), "the lock is not held")?;
    let entry = f.entry(member).ok_or("it is not in the list")?;
    must(f.is_the_charters_cluster(), "another etcd cluster answers than the charter's")?;
    let own = f.is_own(member);
    let departed = f.owner_of(&entry).is_some_and(|id| id != f.w.seen.me.instance && f.is_departed(&id));
    if entry.learner {
        return must(own || departed || f.is_stuck(member), "the learner is another's, and alive");
    }
    must(own || departed, "the voter is another's, and has not departed")?;
    must(
        !own || (f.is_leaving() && f.is_told_to_leave()) || (f.is_broken() && versions::another_start_may_help(f)) || f.knows_disk(),
        "it is this node's own, and whether its data is there is not known",
    )?;
    let rest: Vec<MemberId> = f.voters()?.into_iter().filter(|id| *id != member).collect();
    must(!rest.is_empty(), "it is the last voter")?;
    must(f.healthy_is_quorum_of(&rest), "the rest has no healthy quorum")
}

fn start_member(f: &Facts<'_>, start: &Start) -> Judgement {
    must(f.is_stopped(), "etcd is not known to be stopped")?;
    match start {
        Start::Found { generation, token } => founding::start(f, *generation, token),
        Start::Join { generation, .. } => {
            must(f.disk_is_empty(), "there is data")?;
            let me = MemberUrl::new(tls::scheme(f), f.w.seen.me.address, 2380);
            must(f.members()?.iter().any(|m| m.learner && m.name.is_none() && m.peer_url == me), "it was not added")?;
            must(!f.members()?.iter().any(Member::is_stranger), "a stranger's address would be written down")?;
            must(f.can_trust(), "the charter cannot be trusted")?;
            must(f.stored().is_some_and(|r| r.generation == *generation && f.is_established(r)), "no established generation permits it")
        }
        Start::JoinServer { .. } | Start::Worker { .. } => Err("no etcd member is a distribution's"),
        Start::Resume { loopback_only, .. } => founding::resume(f, *loopback_only),
        Start::Alone => {
            stop_member(f, StopReason::LastVoterLeaves)?;
            let record = f.stored().filter(|r| f.is_established(r)).ok_or("nothing is established that could be saved")?;
            must(f.can_trust() && founding::is_alone_in(f, record), "the record is not of this node's data alone")?;
            founding::resume(f, true)
        }
    }
}

/// A voter's etcd is stopped for few reasons.
fn stop_member(f: &Facts<'_>, reason: StopReason) -> Judgement {
    let votes = f.votes();
    match reason {
        StopReason::OpenToClients => must(f.stored().is_some_and(|r| r.voters.len() <= 1), "others vote"),
        StopReason::PutAside => is_dead(f),
        StopReason::Left | StopReason::GiveUp => must(!votes, "it votes"),
        StopReason::Retire => {
            stop_member(f, StopReason::LastVoterLeaves)?;
            let record = f.stored().filter(|r| f.is_established(r)).ok_or("nothing is established that could be retired")?;
            must(f.can_trust() && founding::is_alone_in(f, record), "the record is not of this node's data alone")?;
            must(f.w.policy.snapshots.enabled, "clients would be stopped for nothing")
        }
        StopReason::LastVoterLeaves => {
            must(f.is_leaving() && f.is_told_to_leave(), "it is not leaving, or has no reason to")?;
            must(f.nobody_else_votes(), "others vote")?;
            must(!f.has_an_heir() || f.is_late(), "a learner lives that could take over")
        }
        StopReason::Recover => founding::survivor(f),
        StopReason::Reattach => must(false, "no member turns to another server"),
        StopReason::NotPermitted => {
            must(f.stored().is_some_and(|r| f.is_established(r) && f.replaces_data(r)), "nothing newer is established")
        }
        StopReason::Reboot => {
            let alone = f.voters()?.iter().all(|id| f.is_own(*id));
            let shutdown = f.w.seen.local.shutdown.is_some_and(|shutdown| shutdown.kind == ShutdownKind::Reboot);
            must(shutdown, "the machine does not reboot")?;
            if alone || !votes { Ok(()) } else { stop_member(f, StopReason::NotAnswering) }
        }
        StopReason::Reload => {
            tls::has_to_reload(f)?;
            if f.voters()?.iter().all(|id| f.is_own(*id)) {
                return Ok(());
            }
            let leader = f.w.seen.etcd.membership.fresh().and_then(|m| m.leader);
            must(leader.is_some() && leader != f.own_member(), "it leads")?;
            stop_member(f, StopReason::NotAnswering)
        }
        StopReason::NotAnswering => {
            must(f.holds_lock(), "the lock is not held")?;
            let voters = f.voters()?;
            let others = voters.iter().filter(|id| Some(**id) != f.own_member() && f.is_healthy(**id)).count();
            must(2 * others > voters.len(), "the others have no quorum without it")
        }
    }
}

fn put_aside(f: &Facts<'_>) -> Judgement {
    must(f.is_stopped(), "etcd is not known to be stopped")?;
    is_dead(f)
}

/// The data is dead by a quorum's word, or by an operator's fresh start that the store itself shows. Data of unknown age never counts as old.
fn is_dead(f: &Facts<'_>) -> Judgement {
    must(!f.is_member_still(), "a quorum still lists the member whose data it is")?;
    if f.data().is_some_and(|d| d.cluster.is_none()) && f.is_stopped() {
        return Ok(());
    }
    if f.can_trust() && f.stored().is_some_and(|r| founding::is_retired_from(f, r)) && f.cluster().is_none() {
        return Ok(());
    }
    let restores = |r: &Record| matches!(r.origin, Origin::Snapshot { .. });
    if f.cluster().is_none() && f.stored().is_some_and(restores) {
        return snapshots::takes_its_place(f);
    }
    let ordered = f.stored().is_some_and(|r| f.founds(r) && r.origin == Origin::Fresh);
    must(ordered || f.cluster().is_some(), "no quorum has proved the data dead")?;
    let removed = f.cluster().is_some() && f.data().and_then(|d| d.cluster) == f.cluster();
    must(removed || f.stored().is_some_and(|r| f.replaces_data(r)), "its generation is not known to be older than the store's record")
}

fn complete(f: &Facts<'_>, name: &str, instance: &quorate_core::ids::InstanceId, result: HookResult) -> Judgement {
    let hooks = f.w.seen.cloud.hooks.last().ok_or("the hook is not known")?;
    let transition = hooks.iter().find(|h| h.hook.name.as_str() == name).map(|h| h.transition).ok_or("the hook is not known")?;
    if *instance != f.w.seen.me.instance {
        must(f.is_departed(instance), "the other has not departed")?;
        must(f.is_seen_waiting(instance), "it was not looked at again after others could complete it, or waits no more")?;
        must(!f.stored().is_some_and(|r| f.can_trust() && r.lists(instance)), "the charter lists the other yet")?;
        let members = f.members()?;
        return must(!members.iter().any(|m| f.owner_of(m).as_ref() == Some(instance)), "the other is still a member");
    }
    match (transition, result) {
        (Transition::Launching, HookResult::Continue) => {
            let warm = matches!(f.w.seen.target.last(), Some(Some(LifecycleState::Warmed(_))));
            let full = f.voters().is_ok_and(|v| v.len() >= f.w.policy.max_voters);
            let elsewhere = |r: &Record| r.state != State::Established || r.etcd_cluster != f.cluster();
            must(!f.votes() || !f.can_trust() || !f.stored().is_some_and(elsewhere), "what it votes in is not what the charter names")?;
            must(f.votes() || (f.disk_is_empty() && (full || warm)), "it neither votes nor waits as a spare")
        }
        (Transition::Launching, HookResult::Abandon) => must(!f.votes() && !f.may_vote_unseen(), "a voter may abandon its launch"),
        (Transition::Terminating, _) => must(!f.is_listed_still() || f.is_out_of_time(), "it is still a member, and there is time"),
    }
}
