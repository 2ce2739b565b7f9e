//! Completing lifecycle hooks: after the work that they guard, never before.

use crate::charter::State;
use crate::ids::InstanceId;
use crate::observation::{HookRef, LifecycleState, PeerAnswer, Transition};
use crate::plan::HookResult;
use crate::role::Role;

use super::facts::Facts;
use super::verdict::{Verdict, require};
use super::{last_voter, node, time_left};

pub(super) fn complete(f: &Facts<'_>, hook: &HookRef, instance: &InstanceId, result: HookResult) -> Verdict {
    let group = if instance == f.me() {
        Some(&f.seen.me.group)
    } else {
        f.seen.cloud.listed.last().and_then(|l| l.get(instance)).map(|i| &i.group)
    };
    require(group == Some(&hook.group), "the hook is not of the instance's group")?;
    let hooks = f.seen.cloud.hooks.last().into_iter().flatten();
    let transition = hooks.into_iter().find(|h| h.hook == *hook).map(|h| h.transition).ok_or("the hook is not ours")?;
    require(!f.memory.hooks.completed.contains(&(hook.clone(), instance.clone())), "it was completed already")?;
    if instance != f.me() {
        return for_the_dead(f, instance, transition, result);
    }
    if f.seen.me.role == Role::Worker {
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
        return require(is_warm(f) || is_spare_server(f), "no quorum has spoken");
    };
    let spare = f.disk_is_empty() && !membership.members.iter().any(|m| f.is_mine(m)) && membership.voters().count() >= f.policy.max_voters;
    require(f.votes() || spare || is_warm(f), "it does not vote yet")?;
    let charter = f.highest().ok().flatten().or(f.memory.kept.record.as_ref());
    let joined = charter.is_none_or(|r| r.state == State::Established && r.etcd_cluster == Some(membership.cluster));
    require(!f.votes() || joined, "it votes in another cluster than the charter's")?;
    require(!f.votes() || f.seen.me.role == Role::Etcd || node::is_ready(f), "its node is not ready yet")
}

/// A server has no credentials for etcd before it joins: a voter says, with its quorum, that there are as many servers as there may be.
fn is_spare_server(f: &Facts<'_>) -> bool {
    let Some(record) = f.highest().ok().flatten().filter(|r| r.state == State::Established && !r.lists(f.me())) else { return false };
    let full =
        |p: &PeerAnswer| p.quorum.is_some() && p.quorum == record.etcd_cluster && p.control_plane.servers.len() >= f.policy.max_voters;
    let unjoined = f.seen.me.role == Role::ControlPlane && f.disk_is_empty() && f.is_stopped();
    unjoined && record.voters.iter().any(|v| f.peer(&v.instance).is_some_and(full))
}

fn is_warm(f: &Facts<'_>) -> bool {
    f.disk_is_empty() && matches!(f.seen.target.last(), Some(Some(LifecycleState::Warmed(_))))
}

/// A voter never abandons its launch; who does not know whether it votes does not either.
fn abandon(f: &Facts<'_>) -> Verdict {
    let never_joined = f.disk_is_empty() && !f.memory.kept.record.as_ref().is_some_and(|r| r.lists(f.me()));
    require(f.surely_does_not_vote() || never_joined, "it may be a voter")
}

fn termination(f: &Facts<'_>) -> Verdict {
    let listed = f.seen.etcd.membership.fresh().map(|m| m.members.iter().any(|e| f.is_mine(e)));
    let remembered = f.memory.kept.record.as_ref().is_some_and(|r| r.lists(f.me()));
    let is_out = f.disk_is_empty() && !listed.unwrap_or(remembered);
    // What was stopped by an agent before this one, or ended by itself, is as good as stopped. What etcd said just before may still be fresh: it
    // stands in the way if it names others that are left, or this one no more.
    let nobody_else = || last_voter::last_voter_leaves(f).is_ok();
    let by_quorum = || f.membership().is_ok() && f.votes() && nobody_else();
    let last = f.is_stopped() && (by_quorum() || (f.membership().is_err() && (f.memory.ending.is_stopped() || nobody_else())));
    let late = time_left::out_of_time(f);
    require(is_out || last || late, "its member is not out of the cluster yet")
}

fn for_the_dead(f: &Facts<'_>, instance: &InstanceId, transition: Transition, result: HookResult) -> Verdict {
    match (transition, result) {
        (Transition::Terminating, HookResult::Continue) => {
            require(f.has_departed(instance), "another's hook is completed only once it has departed")?
        }
        (Transition::Launching, HookResult::Abandon) => {
            require(f.has_ended(instance), "another's launch is abandoned only once it has ended")?
        }
        _ => return Err("the dead neither continue a launch nor abandon a termination"),
    }
    require(f.has_led_for_long(), "another agent, beside the leader before this one, may have completed it a moment ago")?;
    require(f.still_waits(instance, transition), "by its own entry it does not wait, or that was read before others could complete it")?;
    let listed = f.highest().ok().flatten().is_some_and(|r| r.lists(instance));
    require(!listed, "the charter still lists it")?;
    let membership = f.membership()?;
    require(!membership.members.iter().any(|m| f.instance_behind(m).as_ref() == Some(instance)), "it is still a member")
}
