//! What EC2 and Auto Scaling say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::ids::{GroupName, HookName, InstanceId};
use crate::reading::Reading;
use crate::time::Timestamp;

/// A pool of stopped or running spares beside the group: <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warmed {
    /// Stopped: its machine runs nothing.
    Stopped,
    /// Hibernated: its machine runs nothing.
    Hibernated,
    /// `Warmed:Pending:Wait` or `Warmed:Terminating:Wait`: a hook is open.
    Waiting,
    /// Any other warm state.
    Other,
}

/// Where an instance stands in its group. An open set: AWS adds states, and an unknown one is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifecycleState {
    /// `Pending`: being launched.
    Pending,
    /// `Pending:Wait`: a launch hook is open.
    PendingWait,
    /// `Pending:Proceed`.
    PendingProceed,
    /// `InService`.
    InService,
    /// `Terminating`: before its hooks, e.g. while a load balancer deregisters it.
    Terminating,
    /// `Terminating:Wait`: a termination hook is open.
    TerminatingWait,
    /// `Terminating:Proceed`.
    TerminatingProceed,
    /// `Terminating:Retained`: kept after an abandoned hook.
    TerminatingRetained,
    /// `Terminated`.
    Terminated,
    /// `Standby` or `EnteringStandby`.
    Standby,
    /// `Detached` or `Detaching`.
    Detached,
    /// `Warmed:*`.
    Warmed(Warmed),
    /// `ReplacingRootVolume` or `ReplacingRootVolume:Proceed`: the same instance is about to come back with another root volume.
    ReplacingRootVolume,
    /// `ReplacingRootVolume:Wait`: a termination hook is open before that.
    ReplacingRootVolumeWait,
    /// `RootVolumeReplaced`: it is back, and not in service yet.
    RootVolumeReplaced,
    /// Anything else.
    Other,
}

impl LifecycleState {
    /// Parses the API's or IMDS's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "Pending" => Self::Pending,
            "Pending:Wait" => Self::PendingWait,
            "Pending:Proceed" => Self::PendingProceed,
            "InService" => Self::InService,
            "Terminating" => Self::Terminating,
            "Terminating:Wait" => Self::TerminatingWait,
            "Terminating:Proceed" => Self::TerminatingProceed,
            "Terminated" => Self::Terminated,
            "Standby" | "EnteringStandby" => Self::Standby,
            "Detached" | "Detaching" => Self::Detached,
            "Warmed:Stopped" => Self::Warmed(Warmed::Stopped),
            "Warmed:Pending:Wait" | "Warmed:Terminating:Wait" => Self::Warmed(Warmed::Waiting),
            // Given up, and kept: also from the warm pool.
            other if other.ends_with(":Retained") => Self::TerminatingRetained,
            "Warmed:Hibernated" => Self::Warmed(Warmed::Hibernated),
            other if other.starts_with("Warmed:") => Self::Warmed(Warmed::Other),
            "ReplacingRootVolume:Wait" => Self::ReplacingRootVolumeWait,
            "RootVolumeReplaced" => Self::RootVolumeReplaced,
            other if other.starts_with("ReplacingRootVolume") => Self::ReplacingRootVolume,
            _ => Self::Other,
        }
    }

    /// `Terminating:*` or `Terminated`: the group has given the instance up.
    #[must_use]
    pub fn is_terminating(self) -> bool {
        matches!(self, Self::Terminating | Self::TerminatingWait | Self::TerminatingProceed | Self::TerminatingRetained | Self::Terminated)
    }

    /// The group watches the instance and replaces it once it has ended. In standby no health is checked, and an instance that the group takes down may stay
    /// listed for two days, until the last hook has run out. In those states the list does not show whether the instance lives.
    #[must_use]
    pub fn is_watched(self) -> bool {
        self != Self::Standby && !self.is_terminating()
    }
}

/// An instance's EC2 state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ec2State {
    /// `pending`.
    Pending,
    /// `running`.
    Running,
    /// `shutting-down`.
    ShuttingDown,
    /// `terminated`.
    Terminated,
    /// `stopping`.
    Stopping,
    /// `stopped`.
    Stopped,
    /// Anything else.
    Other,
}

impl Ec2State {
    /// Parses the API's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "shutting-down" => Self::ShuttingDown,
            "terminated" => Self::Terminated,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            _ => Self::Other,
        }
    }
}

/// What EC2 says of one instance that was asked for by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ec2Answer {
    /// EC2 knows it.
    Known {
        /// Its state.
        state: Ec2State,
        /// Its private address, if it has one.
        address: Option<IpAddr>,
        /// When it was launched.
        launched: Option<Timestamp>,
    },
    /// `InvalidInstanceID.NotFound`: not yet known, or terminated more than an hour ago.
    NotFound,
}

/// One instance as its group lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedInstance {
    /// Its group.
    pub group: GroupName,
    /// Its place in the group's life cycle.
    pub state: LifecycleState,
}

/// A process of a group that an operator can suspend, and that a node may be waiting for. The group has others, which no node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScalingProcess {
    /// `Launch`: no instance is launched while it is suspended.
    Launch,
    /// `Terminate`: none is terminated.
    Terminate,
    /// `ReplaceUnhealthy`: none is replaced because it is unhealthy.
    ReplaceUnhealthy,
}

impl ScalingProcess {
    const ALL: [Self; 3] = [Self::Launch, Self::Terminate, Self::ReplaceUnhealthy];

    /// Parses the API's text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|process| process.as_str() == text)
    }

    /// The API's text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "Launch",
            Self::Terminate => "Terminate",
            Self::ReplaceUnhealthy => "ReplaceUnhealthy",
        }
    }
}

impl fmt::Display for ScalingProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One Auto Scaling group of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Its desired capacity, in instances.
    pub desired: u32,
    /// Whether an abandoned termination hook keeps the instance running (instance lifecycle policy `TerminateHookAbandon=retain`).
    pub retains_on_abandon: bool,
    /// The suspended ones of its processes.
    pub suspended: BTreeSet<ScalingProcess>,
}

/// Which transition a hook guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// `autoscaling:EC2_INSTANCE_LAUNCHING`.
    Launching,
    /// `autoscaling:EC2_INSTANCE_TERMINATING`.
    Terminating,
}

/// A hook's full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HookRef {
    /// The group that has it.
    pub group: GroupName,
    /// Its name within the group.
    pub name: HookName,
}

impl fmt::Display for HookRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.name)
    }
}

/// A lifecycle hook that is ours by its name. Foreign hooks never get into an observation, so none is ever completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its full name.
    pub hook: HookRef,
    /// The transition that it guards.
    pub transition: Transition,
    /// Time from one heartbeat until it runs out.
    pub heartbeat_timeout: Duration,
    /// Time from its opening until no heartbeat helps: min(48 h, 100 heartbeat timeouts).
    pub global_timeout: Duration,
}

/// What the AWS control plane said, each part with its own age.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// The cluster's groups (tags `quorate:cluster` and `quorate:role`).
    pub groups: Reading<Vec<Group>>,
    /// The instances that those groups list.
    pub listed: Reading<BTreeMap<InstanceId, ListedInstance>>,
    /// Every instance that carries the tag `quorate:cluster` of this cluster, in any EC2 state except `terminated`, whether a group lists it or
    /// not: one that was detached, or that this node never saw, may hold the cluster's data. Asked before an empty cluster is claimed.
    pub tagged: Reading<BTreeSet<InstanceId>>,
    /// Answers for instances asked by id.
    pub asked: BTreeMap<InstanceId, Reading<Ec2Answer>>,
    /// Dead instances' own entries, read before their hooks are completed for them; `None` where no group has the instance any longer.
    pub places: BTreeMap<InstanceId, Reading<Option<LifecycleState>>>,
    /// Our hooks on the cluster's groups.
    pub hooks: Reading<Vec<Hook>>,
    /// This instance's own place in its group.
    pub own_state: Reading<LifecycleState>,
}

impl Cloud {
    /// AWS has not answered yet.
    #[must_use]
    pub fn unknown(why: &'static str) -> Self {
        Self {
            groups: Reading::unknown(why),
            listed: Reading::unknown(why),
            tagged: Reading::unknown(why),
            asked: BTreeMap::new(),
            places: BTreeMap::new(),
            hooks: Reading::unknown(why),
            own_state: Reading::unknown(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_its_group_keeps_is_retained_wherever_it_came_from() {
        for text in ["Terminating:Retained", "Warmed:Terminating:Retained", "Warmed:Retained"] {
            assert_eq!(LifecycleState::parse(text), LifecycleState::TerminatingRetained, "{text}");
        }
        assert_eq!(LifecycleState::parse("Warmed:Terminating:Wait"), LifecycleState::Warmed(Warmed::Waiting));
        assert_eq!(LifecycleState::parse("Warmed:Running"), LifecycleState::Warmed(Warmed::Other));
    }
}
