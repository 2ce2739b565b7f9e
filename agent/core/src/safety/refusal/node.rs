//! Why instances, their lifecycle hooks and their Kubernetes nodes forbid a step.

use std::net::IpAddr;

use crate::authority::AuthorityHash;
use crate::ids::{InstanceId, TargetGroupArn};
use crate::observation::{HookRef, Transition};
use crate::plan::HookResult;
use crate::role::Role;
use crate::time::Timestamp;

/// Why the state of an instance forbids a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceFault {
    /// The step is not for an instance of this role.
    WrongRole(Role),
    /// This node has to leave.
    Leaving,
    /// Nothing says that this node has to leave.
    NotLeaving,
    /// This node leaves the cluster, but its instance runs on.
    RunsOn,
    /// The machine shuts down.
    ShutsDown,
    /// The machine does not reboot.
    NoReboot,
    /// This instance is in the warm pool.
    Warm,
    /// No group lists this instance.
    NotInGroup,
    /// This instance is not among those that have the cluster's tag.
    NotTagged,
    /// EC2 does not say that this instance has ended.
    NotEnded(InstanceId),
    /// This instance has not departed.
    NotDeparted(InstanceId),
    /// This target group is not configured.
    NoTargetGroup(TargetGroupArn),
    /// This instance has already been deregistered from this target group.
    Deregistered(TargetGroupArn),
}

/// Why a lifecycle hook is not to be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookFault {
    /// It is not of the instance's group.
    OtherGroup {
        /// The hook.
        hook: HookRef,
        /// The instance.
        instance: InstanceId,
    },
    /// It is not one of Quorate's.
    NotOurs(HookRef),
    /// It has already been completed.
    Completed {
        /// The hook.
        hook: HookRef,
        /// The instance that it was completed for.
        instance: InstanceId,
    },
    /// No heartbeat for it has been accepted yet.
    NoHeartbeat(HookRef),
    /// The hook of a dead instance is not completed with this result.
    WrongResult {
        /// The transition.
        transition: Transition,
        /// The result.
        result: HookResult,
    },
    /// This node's member does not lead.
    DoesNotLead,
    /// This node's member has led only since then: the agent beside the previous leader may have completed it a moment ago.
    LedTooShort(Timestamp),
    /// By its own entry in the group, this instance does not wait for it.
    NotWaiting(InstanceId),
    /// The entry of this instance was read too early: another agent could have completed the hook since.
    EntryTooOld(InstanceId),
}

/// Why a Kubernetes node or a server of its control plane forbids a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeFault {
    /// This node is not ready.
    NotReady,
    /// This node is ready.
    Ready,
    /// No server says that this node is not ready.
    NotUnready,
    /// This node is not drained yet.
    NotDrained,
    /// The kubelet runs.
    KubeletRuns,
    /// This agent did not cordon the node.
    NotCordoned,
    /// The Node of this instance is not the one that was seen.
    NotSeen(InstanceId),
    /// The configuration names no other server: a start without the member would found a cluster.
    NamesNoServer,
    /// Its configuration would name itself.
    NamesItself(IpAddr),
    /// No voter has this address.
    NoVoterAt(IpAddr),
    /// The server at this address does not answer.
    ServerSilent(IpAddr),
    /// The server that the kubelet knows answers.
    ServerAnswers(IpAddr),
    /// The kubelet knows no server.
    KnowsNoServer,
    /// EC2 has not given this address for a server of the cluster.
    ServerUnknown(IpAddr),
    /// No server answers at an address that EC2 has given.
    NoServerAnswers,
    /// The token would have to name the authority that the store names.
    OtherAuthority {
        /// By the token.
        named: Option<AuthorityHash>,
        /// By the store.
        store: AuthorityHash,
    },
    /// The token would name this authority, and the store names none.
    NoAuthority(AuthorityHash),
    /// The token and the store name different authorities.
    AuthorityDisputed {
        /// By the token.
        token: AuthorityHash,
        /// By the store.
        store: AuthorityHash,
    },
}
