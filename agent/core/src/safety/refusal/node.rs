//! What instances, their lifecycle hooks and their Kubernetes nodes have against a step.

use std::net::IpAddr;

use crate::authority::AuthorityHash;
use crate::ids::{InstanceId, TargetGroupArn};
use crate::observation::{HookRef, Transition};
use crate::plan::HookResult;
use crate::role::Role;
use crate::time::Timestamp;

/// What the life of an instance has against a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceFault {
    /// The step is not for an instance of this role.
    WrongRole(Role),
    /// This node is told to leave.
    Leaving,
    /// Nobody has told this node to leave.
    NotLeaving,
    /// This node leaves, but its instance runs on.
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
    /// This instance was deregistered from this target group already.
    Deregistered(TargetGroupArn),
}

/// What a lifecycle hook has against being completed.
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
    /// It was completed already.
    Completed {
        /// The hook.
        hook: HookRef,
        /// Whose action.
        instance: InstanceId,
    },
    /// No heartbeat for it was accepted yet.
    NoHeartbeat(HookRef),
    /// For a dead instance nobody answers this transition so.
    WrongResult {
        /// The transition.
        transition: Transition,
        /// The answer.
        result: HookResult,
    },
    /// This node's member does not lead.
    DoesNotLead,
    /// This node's member leads only since then: the agent beside the leader before may have completed it a moment ago.
    LedTooShort(Timestamp),
    /// By its own entry, this instance does not wait for it.
    NotWaiting(InstanceId),
    /// The entry of this instance was read before others could complete it.
    EntryTooOld(InstanceId),
}

/// What a Kubernetes node or a server of its control plane has against a step.
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
    /// The token is to name the authority that the store names.
    OtherAuthority {
        /// By the token.
        named: Option<AuthorityHash>,
        /// By the store.
        store: AuthorityHash,
    },
    /// The token is to name this authority, and the store names none.
    NoAuthority(AuthorityHash),
    /// Token and store name different authorities.
    AuthorityDisputed {
        /// By the token.
        token: AuthorityHash,
        /// By the store.
        store: AuthorityHash,
    },
}
