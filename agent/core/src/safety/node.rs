//! Steps on a Kubernetes node, and the lifecycle of a worker, which has no member.

use std::net::IpAddr;

use crate::authority::{AuthorityHash, Pin};
use crate::ids::{InstanceId, MemberId};
use crate::observation::{Draining, HookRef, Membership, NodeView, ShutdownKind, Transition};
use crate::plan::{HookResult, NodeStep};
use crate::role::Role;

use super::facts::Facts;
use super::verdict::{Verdict, require};
use super::{membership, notices, time_left};

pub(super) fn step(f: &Facts<'_>, step: &NodeStep) -> Verdict {
    require(f.seen.me.role.has_node(), "this instance has no Kubernetes node")?;
    match step {
        NodeStep::Drain(_) => {
            require(notices::is_told_to_leave(f) || (reboots(f) && f.policy.drain.at_reboot), "nobody told this node to go")
        }
        NodeStep::Cordon => require(reboots(f), "the machine does not reboot"),
        NodeStep::Uncordon => uncordon(f),
        NodeStep::AnnotateRemoval { member } => annotate(f, *member),
        NodeStep::Delete { instance, uid } => delete(f, instance, uid),
        NodeStep::PointAt { server } => point_at(f, *server),
    }
}

fn reboots(f: &Facts<'_>) -> bool {
    f.seen.local.shutdown.is_some_and(|shutdown| shutdown.kind == ShutdownKind::Reboot)
}

fn node<'a>(f: &Facts<'a>) -> Option<&'a NodeView> {
    f.seen.kubernetes.node.fresh()?.as_ref()
}

pub(super) fn is_ready(f: &Facts<'_>) -> bool {
    node(f).is_some_and(|node| node.ready && node.is_voter != Some(false))
}

/// Only what this agent cordoned, and not on the way out.
fn uncordon(f: &Facts<'_>) -> Verdict {
    require(f.seen.local.shutdown.is_none() && !notices::is_told_to_leave(f), "the machine goes, or it is leaving")?;
    require(node(f).is_some_and(|node| node.cordoned_by_us), "this agent did not cordon it")
}

/// The same as removing its own voter, by another's hand.
fn annotate(f: &Facts<'_>, member: MemberId) -> Verdict {
    require(f.data().is_some_and(|d| d.member == Some(member)), "it is not this node's own member")?;
    require(
        f.seen.kubernetes.points_at.is_some(),
        "its configuration names no other server, so that a start after its removal would found a cluster",
    )?;
    membership::remove(f, member)
}

/// Its own once it has no member any more; another's once EC2 has said that the instance ended.
fn delete(f: &Facts<'_>, instance: &InstanceId, uid: &str) -> Verdict {
    let is_member = |m: &crate::observation::Member| f.instance_behind(m).as_ref() == Some(instance);
    if instance == f.me() {
        require(node(f).is_some_and(|node| node.uid == uid), "it is not the Node that was seen")?;
        require(notices::is_told_to_leave(f) && f.disk_is_empty() && f.is_stopped(), "its member has not left")?;
        return require(
            f.seen.etcd.membership.fresh().is_none_or(|m| !m.members.iter().any(|m| f.is_mine(m))),
            "its member is still listed",
        );
    }
    let membership = f.membership()?;
    require(!membership.members.iter().any(is_member), "it is still a member")?;
    let asked = f.seen.cloud.asked.get(instance).is_some_and(|answer| answer.last().is_some());
    // Its Node shows that EC2 knew it once.
    let forgotten =
        f.memory.instances.not_found.get(instance).is_some_and(|(first, last)| last.since(*first) >= f.policy.unknown_is_gone_after);
    let ended = f.has_ended(instance) && (asked || f.memory.instances.terminated.contains(instance));
    require(ended || forgotten, "EC2 has not said that its instance ended")?;
    let seen = f.seen.kubernetes.nodes.fresh().into_iter().flatten();
    require(
        seen.into_iter().any(|n| n.name == instance.as_str() && n.uid == uid && !n.ready),
        "it is not a Node that was seen and is not ready",
    )
}

fn point_at(f: &Facts<'_>, server: IpAddr) -> Verdict {
    require(f.seen.me.role == Role::ControlPlane && server != f.seen.me.address, "it would turn to itself")?;
    // k3s promotes by itself, so that a voter may not be in the charter yet.
    let by_charter = |id: &InstanceId| f.memory.kept.record.as_ref().is_some_and(|r| r.lists(id));
    let members = || f.seen.etcd.membership.fresh().into_iter().flat_map(Membership::voters);
    let by_etcd = |id: &InstanceId| members().any(|m| f.instance_behind(m).as_ref() == Some(id));
    let mut there = f.memory.kept.seen.iter().filter(|(_, seen)| seen.address == Some(server));
    require(there.any(|(id, _)| by_charter(id) || by_etcd(id)), "no voter of the charter or of etcd's list has that address")
}

/// EC2 gave this address, for an instance that a group of the cluster's servers listed and that has not ended; and what has it answers.
fn serves_at(f: &Facts<'_>, server: IpAddr) -> bool {
    let answering = f.seen.kubernetes.servers.iter().filter(|one| one.healthy && one.server.address == server);
    let addresses = |id: &InstanceId| f.memory.kept.seen.get(id).filter(|seen| seen.group.is_some()).and_then(|seen| seen.address);
    answering.map(|one| &one.server.instance).any(|id| addresses(id) == Some(server) && !f.has_ended(id))
}

/// A worker goes through a server that answers where EC2 says that it is, and gives its token to none whose authority is disputed, or not read yet.
pub(super) fn start_worker(f: &Facts<'_>, server: IpAddr, authority: Option<AuthorityHash>) -> Verdict {
    require(f.seen.me.role == Role::Worker, "its group is no group of workers")?;
    require(!notices::is_told_to_leave(f), "it is leaving")?;
    let answers = f.seen.kubernetes.servers.iter().any(|one| one.healthy && one.server.address == server);
    require(answers, "that server does not answer")?;
    require(serves_at(f, server), "EC2 has not given that address for a server of this cluster")?;
    match f.seen.kubernetes.authority.fresh() {
        Some(Pin::ByStore(hash)) => require(authority == Some(*hash), "its token is to name the authority that the store names"),
        Some(Pin::ByToken | Pin::ByNobody) => require(authority.is_none(), "the store names no authority"),
        Some(Pin::Disputed { .. }) => Err("its token and the store name different authorities"),
        None => Err("the store was not asked for the cluster's authority"),
    }
}

/// Its kubelet may start again through another server once one answers and says itself that the node is not ready; not while the one that it knows answers.
pub(super) fn reattach(f: &Facts<'_>) -> Verdict {
    let kubernetes = &f.seen.kubernetes;
    let healthy = |address: IpAddr| kubernetes.servers.iter().any(|one| one.healthy && one.server.address == address);
    require(kubernetes.servers.iter().any(|one| serves_at(f, one.server.address)), "no server answers where EC2 says that one is")?;
    require(kubernetes.points_at.is_some_and(|address| !healthy(address)), "the server that its kubelet knows answers, or is not known")?;
    // A restored cluster may never have heard of it.
    let unready = kubernetes.node.fresh().is_some_and(|node| node.as_ref().is_none_or(|node| !node.ready));
    require(unready, "no server says that its node is not ready")
}

/// Workloads outlive the control plane's troubles: a kubelet is stopped only once its instance was told to go, and after its drain.
pub(super) fn stop_worker(f: &Facts<'_>) -> Verdict {
    require(notices::is_told_to_leave(f), "nobody told this node to go")?;
    let drained = matches!(f.seen.kubernetes.draining, Draining::Over { .. });
    require(drained || time_left::little_time_is_left(f), "its node is not drained yet")
}

pub(super) fn complete(f: &Facts<'_>, hook: &HookRef, transition: Transition, result: HookResult) -> Verdict {
    require(hook.group == f.seen.me.group, "the hook is not of this instance's group")?;
    let ready = node(f).is_some_and(|node| node.ready);
    match (transition, result) {
        (Transition::Launching, HookResult::Continue) => require(ready, "its node is not ready"),
        (Transition::Launching, HookResult::Abandon) => require(!ready, "its node is ready"),
        (Transition::Terminating, _) => require(f.is_stopped() || time_left::little_time_is_left(f), "its kubelet runs"),
    }
}
