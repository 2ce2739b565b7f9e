//! Steps on a Kubernetes node, and the lifecycle of a worker, which has no member.

use std::net::IpAddr;

use crate::authority::{AuthorityHash, Pin};
use crate::ids::{InstanceId, MemberId};
use crate::observation::{Draining, HookRef, Membership, NodeView, ShutdownKind, Transition};
use crate::plan::{HookResult, NodeStep};

use super::facts::Facts;
use super::refusal::{HookFault, InstanceFault, MemberFault, NodeFault, Unread};
use super::verdict::{Verdict, forbid, require};
use super::{membership, notices, time_left};

pub(super) fn step(f: &Facts<'_>, step: &NodeStep) -> Verdict {
    require(f.ways().has_node, InstanceFault::WrongRole(f.seen.me.role))?;
    match step {
        NodeStep::Drain(_) if reboots(f) && f.policy.drain.at_reboot => Ok(()),
        NodeStep::Drain(_) => notices::leaves(f),
        NodeStep::Cordon => require(reboots(f), InstanceFault::NoReboot),
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

/// Permits only what this agent cordoned itself, and not while the node is leaving or shuts down.
fn uncordon(f: &Facts<'_>) -> Verdict {
    require(f.seen.local.shutdown.is_none(), InstanceFault::ShutsDown)?;
    notices::stays(f)?;
    require(node(f).is_some_and(|node| node.cordoned_by_us), NodeFault::NotCordoned)
}

/// The annotation has the distribution remove this node's own voter, so the rules for removing it apply.
fn annotate(f: &Facts<'_>, member: MemberId) -> Verdict {
    require(f.data().is_some_and(|d| d.member == Some(member)), MemberFault::NotOwn(member))?;
    // With no server to join, a start after the removal would found a cluster.
    require(f.seen.kubernetes.points_at.is_some(), NodeFault::NamesNoServer)?;
    membership::remove(f, member)
}

/// Permits its own Node once it no longer has a member, and another's once EC2 has said that the instance ended.
fn delete(f: &Facts<'_>, instance: &InstanceId, uid: &str) -> Verdict {
    if instance == f.me() {
        require(node(f).is_some_and(|node| node.uid == uid), NodeFault::NotSeen(instance.clone()))?;
        notices::leaves(f)?;
        f.needs_an_empty_disk()?;
        f.needs_a_stopped_service()?;
        let listed = f.seen.etcd.membership.fresh().is_some_and(|m| m.members.iter().any(|m| f.is_mine(m)));
        return require(!listed, MemberFault::StillMember(instance.clone()));
    }
    f.needs_no_member_of(f.membership()?, instance)?;
    let asked = f.seen.cloud.asked.get(instance).is_some_and(|answer| answer.last().is_some());
    // Its Node shows that EC2 knew it once.
    let forgotten =
        f.memory.instances.not_found.get(instance).is_some_and(|(first, last)| last.since(*first) >= f.policy.unknown_is_gone_after);
    let ended = f.has_ended(instance) && (asked || f.memory.instances.terminated.contains(instance));
    require(ended || forgotten, InstanceFault::NotEnded(instance.clone()))?;
    let mut nodes = f.seen.kubernetes.nodes.fresh().into_iter().flatten().filter(|n| n.name == instance.as_str() && n.uid == uid);
    require(nodes.any(|n| !n.ready), NodeFault::NotSeen(instance.clone()))
}

fn point_at(f: &Facts<'_>, server: IpAddr) -> Verdict {
    require(f.ways().is_let_in, InstanceFault::WrongRole(f.seen.me.role))?;
    require(server != f.seen.me.address, NodeFault::NamesItself(server))?;
    // k3s promotes on its own, so a voter may not be in the charter yet.
    let by_charter = |id: &InstanceId| f.memory.kept.record.as_ref().is_some_and(|r| r.lists(id));
    let members = || f.seen.etcd.membership.fresh().into_iter().flat_map(Membership::voters);
    let by_etcd = |id: &InstanceId| members().any(|m| f.instance_behind(m).as_ref() == Some(id));
    let mut there = f.memory.kept.seen.iter().filter(|(_, seen)| seen.address == Some(server));
    require(there.any(|(id, _)| by_charter(id) || by_etcd(id)), NodeFault::NoVoterAt(server))
}

/// Whether the server at this address answers, and EC2 gave the address for that instance, which a group of the cluster's servers listed and which has not
/// ended.
fn serves_at(f: &Facts<'_>, server: IpAddr) -> bool {
    let answering = f.seen.kubernetes.servers.iter().filter(|one| one.healthy && one.server.address == server);
    let addresses = |id: &InstanceId| f.memory.kept.seen.get(id).filter(|seen| seen.group.is_some()).and_then(|seen| seen.address);
    answering.map(|one| &one.server.instance).any(|id| addresses(id) == Some(server) && !f.has_ended(id))
}

/// A worker joins through a server that answers where EC2 says that it is. It gives its token to no server while the authority is disputed or has not been
/// read.
pub(super) fn start_worker(f: &Facts<'_>, server: IpAddr, authority: Option<AuthorityHash>) -> Verdict {
    require(!f.ways().has_member, InstanceFault::WrongRole(f.seen.me.role))?;
    notices::stays(f)?;
    let answers = f.seen.kubernetes.servers.iter().any(|one| one.healthy && one.server.address == server);
    require(answers, NodeFault::ServerSilent(server))?;
    require(serves_at(f, server), NodeFault::ServerUnknown(server))?;
    match f.seen.kubernetes.authority.fresh().copied() {
        Some(Pin::ByStore(store)) => require(authority == Some(store), NodeFault::OtherAuthority { named: authority, store }),
        Some(Pin::ByToken | Pin::ByNobody) => forbid(authority, NodeFault::NoAuthority),
        Some(Pin::Disputed { token, store }) => Err(NodeFault::AuthorityDisputed { token, store }.into()),
        None => Err(Unread::Authority.into()),
    }
}

/// The kubelet may start again through another server once one answers and says itself that the node is not ready, but not while the server that it knows
/// answers.
pub(super) fn reattach(f: &Facts<'_>) -> Verdict {
    let kubernetes = &f.seen.kubernetes;
    let healthy = |address: IpAddr| kubernetes.servers.iter().any(|one| one.healthy && one.server.address == address);
    require(kubernetes.servers.iter().any(|one| serves_at(f, one.server.address)), NodeFault::NoServerAnswers)?;
    let known = kubernetes.points_at.ok_or(NodeFault::KnowsNoServer)?;
    require(!healthy(known), NodeFault::ServerAnswers(known))?;
    // A restored cluster may never have heard of it.
    let unready = kubernetes.node.fresh().is_some_and(|node| node.as_ref().is_none_or(|node| !node.ready));
    require(unready, NodeFault::NotUnready)
}

/// Workloads outlive the control plane's troubles: a kubelet is stopped only once its instance has to leave, and after its drain unless little time is left.
pub(super) fn stop_worker(f: &Facts<'_>) -> Verdict {
    notices::leaves(f)?;
    let drained = matches!(f.seen.kubernetes.draining, Draining::Over { .. });
    require(drained || time_left::little_time_is_left(f), NodeFault::NotDrained)
}

pub(super) fn complete(f: &Facts<'_>, hook: &HookRef, transition: Transition, result: HookResult) -> Verdict {
    require(hook.group == f.seen.me.group, HookFault::OtherGroup { hook: hook.clone(), instance: f.me().clone() })?;
    let ready = node(f).is_some_and(|node| node.ready);
    match (transition, result) {
        (Transition::Launching, HookResult::Continue) => require(ready, NodeFault::NotReady),
        (Transition::Launching, HookResult::Abandon) => require(!ready, NodeFault::Ready),
        (Transition::Terminating, _) => require(f.is_stopped() || time_left::little_time_is_left(f), NodeFault::KubeletRuns),
    }
}
