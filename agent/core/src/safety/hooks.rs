//! Completing lifecycle hooks: after the work that they guard, never before.

use crate::charter::State;
use crate::ids::InstanceId;
use crate::observation::{HookRef, LifecycleState, PeerAnswer, Transition};
use crate::plan::HookResult;

use super::facts::Facts;
use super::refusal::{CharterFault, HookFault, InstanceFault, MemberFault, NodeFault, Unread};
use super::verdict::{Verdict, forbid, require};
use super::{last_voter, node, time_left};

pub(super) fn complete(f: &Facts<'_>, hook: &HookRef, instance: &InstanceId, result: HookResult) -> Verdict {
    let group = if instance == f.me() {
        Some(&f.seen.me.group)
    } else {
        f.seen.cloud.listed.last().and_then(|l| l.get(instance)).map(|i| &i.group)
    };
    require(group == Some(&hook.group), HookFault::OtherGroup { hook: hook.clone(), instance: instance.clone() })?;
    let mut hooks = f.seen.cloud.hooks.last().into_iter().flatten();
    let transition = hooks.find(|h| h.hook == *hook).map(|h| h.transition).ok_or_else(|| HookFault::NotOurs(hook.clone()))?;
    let completed = f.memory.hooks.completed.get(&(hook.clone(), instance.clone()));
    forbid(completed.cloned(), |(hook, instance)| HookFault::Completed { hook, instance })?;
    if instance != f.me() {
        return for_the_dead(f, instance, transition, result);
    }
    if !f.ways().has_member {
        return node::complete(f, hook, transition, result);
    }
    match (transition, result) {
        (Transition::Launching, HookResult::Continue) => launch(f),
        (Transition::Launching, HookResult::Abandon) => abandon(f),
        (Transition::Terminating, _) => termination(f),
    }
}

fn launch(f: &Facts<'_>) -> Verdict {
    let Ok(membership) = f.membership() else {
        return require(is_warm(f) || is_spare_server(f), Unread::Quorum);
    };
    let spare = f.disk_is_empty() && !membership.members.iter().any(|m| f.is_mine(m)) && membership.voters().count() >= f.policy.max_voters;
    require(f.votes() || spare || is_warm(f), MemberFault::DoesNotVote)?;
    if !f.votes() {
        return Ok(());
    }
    if let Some(record) = f.highest().ok().flatten().or(f.memory.kept.record.as_ref()) {
        let (answers, charter) = (membership.cluster, record.etcd_cluster);
        require(record.state == State::Established, CharterFault::NotEstablished(record.number))?;
        require(charter == Some(answers), CharterFault::EtcdCluster { answers, charter })?;
    }
    require(f.ways().runs_etcd || node::is_ready(f), NodeFault::NotReady)
}

/// Whether this server is a spare. It has no credentials for etcd before it joins, so a voter with a quorum has to say that there are as many servers as
/// allowed.
fn is_spare_server(f: &Facts<'_>) -> bool {
    let Some(record) = f.highest().ok().flatten().filter(|r| r.state == State::Established && !r.lists(f.me())) else { return false };
    let full =
        |p: &PeerAnswer| p.quorum.is_some() && p.quorum == record.etcd_cluster && p.control_plane.servers.len() >= f.policy.max_voters;
    let unjoined = f.ways().is_let_in && f.disk_is_empty() && f.is_stopped();
    unjoined && record.voters.iter().any(|v| f.peer(&v.instance).is_some_and(full))
}

fn is_warm(f: &Facts<'_>) -> bool {
    f.disk_is_empty() && matches!(f.seen.target.last(), Some(Some(LifecycleState::Warmed(_))))
}

/// A voter never abandons its launch, and neither does a node that does not know whether it votes.
fn abandon(f: &Facts<'_>) -> Verdict {
    let never_joined = f.disk_is_empty() && !f.memory.kept.record.as_ref().is_some_and(|r| r.lists(f.me()));
    require(f.surely_does_not_vote() || never_joined, MemberFault::MayVote)
}

fn termination(f: &Facts<'_>) -> Verdict {
    let listed = f.seen.etcd.membership.fresh().map(|m| m.members.iter().any(|e| f.is_mine(e)));
    let remembered = f.memory.kept.record.as_ref().is_some_and(|r| r.lists(f.me()));
    let is_out = f.disk_is_empty() && !listed.unwrap_or(remembered);
    // An etcd that an earlier agent stopped, or that ended on its own, counts as stopped. What it said just before may still be fresh. That forbids
    // completion if it names others that are left, or no longer names this one.
    let nobody_else = || last_voter::last_voter_leaves(f).is_ok();
    let by_quorum = || f.membership().is_ok() && f.votes() && nobody_else();
    let last = f.is_stopped() && (by_quorum() || (f.membership().is_err() && (f.memory.ending.is_stopped() || nobody_else())));
    let late = time_left::out_of_time(f);
    require(is_out || last || late, MemberFault::NotOut)
}

fn for_the_dead(f: &Facts<'_>, instance: &InstanceId, transition: Transition, result: HookResult) -> Verdict {
    match (transition, result) {
        (Transition::Terminating, HookResult::Continue) => {
            require(f.has_departed(instance), InstanceFault::NotDeparted(instance.clone()))?;
        }
        (Transition::Launching, HookResult::Abandon) => require(f.has_ended(instance), InstanceFault::NotEnded(instance.clone()))?,
        _ => return Err(HookFault::WrongResult { transition, result }.into()),
    }
    f.needs_a_long_lead()?;
    f.still_waits(instance, transition)?;
    let listing = f.highest().ok().flatten().filter(|r| r.lists(instance));
    forbid(listing, |r| CharterFault::StillLists { record: r.number, instance: instance.clone() })?;
    f.needs_no_member_of(f.membership()?, instance)
}
