//! The words of the two APIs, spelled exactly as AWS spells them.

use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// Every word of the set.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as the API spells it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// The word spelled `text`, if there is one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Where an instance stands in its group (`LifecycleState` of Auto Scaling).
    ///
    /// The set is open in the real API: [`LifecycleState::Unheard`] is a word that no client knows, for tests of that.
    LifecycleState {
        /// Launching, before its hooks.
        Pending = "Pending",
        /// Waiting for its launching hooks.
        PendingWait = "Pending:Wait",
        /// Its launching hooks are done.
        PendingProceed = "Pending:Proceed",
        /// In the list of the API, never used.
        Quarantined = "Quarantined",
        /// Counted and serving.
        InService = "InService",
        /// Leaving, while the load balancers let go of it.
        Terminating = "Terminating",
        /// Waiting for its terminating hooks.
        TerminatingWait = "Terminating:Wait",
        /// Its terminating hooks are done.
        TerminatingProceed = "Terminating:Proceed",
        /// A terminating hook was abandoned and the group's instance lifecycle policy keeps the machine.
        TerminatingRetained = "Terminating:Retained",
        /// Gone, for the moment before it leaves the group's list.
        Terminated = "Terminated",
        /// On its way out of the group, alive.
        Detaching = "Detaching",
        /// Out of the group, alive.
        Detached = "Detached",
        /// On its way to standby.
        EnteringStandby = "EnteringStandby",
        /// In the group, not counted, not health checked.
        Standby = "Standby",
        /// Its root volume is about to be replaced.
        ReplacingRootVolume = "ReplacingRootVolume",
        /// Waiting for hooks before its root volume is replaced.
        ReplacingRootVolumeWait = "ReplacingRootVolume:Wait",
        /// The hooks before its root volume is replaced are done.
        ReplacingRootVolumeProceed = "ReplacingRootVolume:Proceed",
        /// Back with an empty root volume.
        RootVolumeReplaced = "RootVolumeReplaced",
        /// Launching into the warm pool.
        WarmedPending = "Warmed:Pending",
        /// Waiting for hooks on its way into the warm pool.
        WarmedPendingWait = "Warmed:Pending:Wait",
        /// Its hooks on the way into the warm pool are done.
        WarmedPendingProceed = "Warmed:Pending:Proceed",
        /// Kept after an abandoned hook on its way into the warm pool.
        WarmedPendingRetained = "Warmed:Pending:Retained",
        /// Leaving the warm pool for good.
        WarmedTerminating = "Warmed:Terminating",
        /// Waiting for hooks on its way out of the warm pool.
        WarmedTerminatingWait = "Warmed:Terminating:Wait",
        /// Its hooks on the way out of the warm pool are done.
        WarmedTerminatingProceed = "Warmed:Terminating:Proceed",
        /// Kept after an abandoned hook on its way out of the warm pool.
        WarmedTerminatingRetained = "Warmed:Terminating:Retained",
        /// Gone from the warm pool.
        WarmedTerminated = "Warmed:Terminated",
        /// In the warm pool, stopped.
        WarmedStopped = "Warmed:Stopped",
        /// In the warm pool, running.
        WarmedRunning = "Warmed:Running",
        /// In the warm pool, hibernated.
        WarmedHibernated = "Warmed:Hibernated",
        /// A word from the future.
        Unheard = "Unheard:Of",
    }
}

impl LifecycleState {
    /// Whether the group counts it towards its desired capacity.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(
            self,
            Self::Pending
                | Self::PendingWait
                | Self::PendingProceed
                | Self::InService
                | Self::ReplacingRootVolume
                | Self::ReplacingRootVolumeWait
                | Self::ReplacingRootVolumeProceed
                | Self::RootVolumeReplaced
        )
    }

    /// Whether it is on its way out (a `Terminating` state of any kind, or past them).
    #[must_use]
    pub const fn leaving(self) -> bool {
        matches!(
            self,
            Self::Terminating
                | Self::TerminatingWait
                | Self::TerminatingProceed
                | Self::TerminatingRetained
                | Self::Terminated
                | Self::WarmedTerminating
                | Self::WarmedTerminatingWait
                | Self::WarmedTerminatingProceed
                | Self::WarmedTerminatingRetained
                | Self::WarmedTerminated
        )
    }

    /// Whether it is in a warm pool, on its way there, or on its way out of there for good.
    #[must_use]
    pub fn warm(self) -> bool {
        self.as_str().starts_with("Warmed:")
    }
}

words! {
    /// What IMDS says under `autoscaling/target-lifecycle-state`: where the instance is being taken, not where it stands.
    Target {
        /// On its way into service, or there.
        InService = "InService",
        /// On its way out.
        Terminated = "Terminated",
        /// On its way to standby, or there.
        Standby = "Standby",
        /// On its way out of the group, alive.
        Detached = "Detached",
        /// On its way into the warm pool, stopped.
        WarmedStopped = "Warmed:Stopped",
        /// On its way into the warm pool, running.
        WarmedRunning = "Warmed:Running",
        /// On its way into the warm pool, hibernated.
        WarmedHibernated = "Warmed:Hibernated",
        /// On its way out of the warm pool.
        WarmedTerminated = "Warmed:Terminated",
        /// The empty text, which real instances have been seen to answer.
        Empty = "",
        /// A word from the future.
        Unheard = "Unheard:Of",
    }
}

words! {
    /// What a warm pool keeps its instances as.
    PoolState {
        /// Stopped, with their disks.
        Stopped = "Stopped",
        /// Running.
        Running = "Running",
        /// Stopped, with their memory on the disk: they resume where they were.
        Hibernated = "Hibernated",
    }
}

words! {
    /// How an instance refresh renews an instance.
    Strategy {
        /// By another instance.
        Rolling = "Rolling",
        /// By another root volume of the same instance.
        ReplaceRootVolume = "ReplaceRootVolume",
    }
}

words! {
    /// The state of the machine itself (`instance-state-name` of EC2).
    Ec2State {
        /// Asked for.
        Pending = "pending",
        /// Powered on.
        Running = "running",
        /// The power button was pressed for the last time.
        ShuttingDown = "shutting-down",
        /// The power button was pressed.
        Stopping = "stopping",
        /// Powered off, with its disks.
        Stopped = "stopped",
        /// Gone for good.
        Terminated = "terminated",
    }
}

impl Ec2State {
    /// The number that belongs to the name in the API.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

words! {
    /// The change that a hook interrupts.
    Transition {
        /// Into service.
        Launching = "autoscaling:EC2_INSTANCE_LAUNCHING",
        /// Out of service.
        Terminating = "autoscaling:EC2_INSTANCE_TERMINATING",
    }
}

words! {
    /// How a lifecycle action ends.
    ActionResult {
        /// Go on.
        Continue = "CONTINUE",
        /// Give up: a launching instance is terminated, a terminating one skips its remaining hooks.
        Abandon = "ABANDON",
    }
}

words! {
    /// What the group believes about an instance.
    Health {
        /// Nothing speaks against it.
        Healthy = "HEALTHY",
        /// It is to be replaced.
        Unhealthy = "UNHEALTHY",
    }
}

words! {
    /// The processes of a group that can be suspended.
    Process {
        /// Launching instances.
        Launch = "Launch",
        /// Terminating instances.
        Terminate = "Terminate",
        /// Replacing unhealthy instances.
        ReplaceUnhealthy = "ReplaceUnhealthy",
        /// Replacing instances by a refresh.
        InstanceRefresh = "InstanceRefresh",
    }
}

words! {
    /// How far an instance refresh has come.
    RefreshStatus {
        /// Accepted, not begun.
        Pending = "Pending",
        /// At work.
        InProgress = "InProgress",
        /// Every instance was replaced.
        Successful = "Successful",
        /// Cancelled by the operator.
        Cancelled = "Cancelled",
    }
}

impl RefreshStatus {
    /// Whether it still blocks another refresh.
    #[must_use]
    pub const fn active(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress)
    }
}

words! {
    /// The calls whose use is counted.
    Call {
        /// EC2.
        DescribeInstances = "DescribeInstances",
        /// EC2.
        TerminateInstances = "TerminateInstances",
        /// EC2.
        RebootInstances = "RebootInstances",
        /// EC2.
        StopInstances = "StopInstances",
        /// EC2.
        DescribeInstanceStatus = "DescribeInstanceStatus",
        /// EC2.
        DescribeApplicationStatus = "DescribeApplicationStatus",
        /// EC2.
        DescribeApplicationStatusChecks = "DescribeApplicationStatusChecks",
        /// EC2 and Auto Scaling.
        DescribeTags = "DescribeTags",
        /// Auto Scaling.
        DescribeAutoScalingGroups = "DescribeAutoScalingGroups",
        /// Auto Scaling.
        DescribeAutoScalingInstances = "DescribeAutoScalingInstances",
        /// Auto Scaling.
        DescribeLifecycleHooks = "DescribeLifecycleHooks",
        /// Auto Scaling.
        PutLifecycleHook = "PutLifecycleHook",
        /// Auto Scaling.
        DeleteLifecycleHook = "DeleteLifecycleHook",
        /// Auto Scaling.
        RecordLifecycleActionHeartbeat = "RecordLifecycleActionHeartbeat",
        /// Auto Scaling.
        CompleteLifecycleAction = "CompleteLifecycleAction",
        /// Auto Scaling.
        SetDesiredCapacity = "SetDesiredCapacity",
        /// Auto Scaling.
        UpdateAutoScalingGroup = "UpdateAutoScalingGroup",
        /// Auto Scaling.
        TerminateInstanceInAutoScalingGroup = "TerminateInstanceInAutoScalingGroup",
        /// Auto Scaling.
        SetInstanceHealth = "SetInstanceHealth",
        /// Auto Scaling.
        StartInstanceRefresh = "StartInstanceRefresh",
        /// Auto Scaling.
        CancelInstanceRefresh = "CancelInstanceRefresh",
        /// Auto Scaling.
        DescribeInstanceRefreshes = "DescribeInstanceRefreshes",
        /// Auto Scaling.
        DescribeScalingActivities = "DescribeScalingActivities",
        /// Auto Scaling.
        SuspendProcesses = "SuspendProcesses",
        /// Auto Scaling.
        ResumeProcesses = "ResumeProcesses",
        /// Auto Scaling.
        PutWarmPool = "PutWarmPool",
        /// Auto Scaling.
        DeleteWarmPool = "DeleteWarmPool",
        /// Auto Scaling.
        DescribeWarmPool = "DescribeWarmPool",
        /// Auto Scaling.
        EnterStandby = "EnterStandby",
        /// Auto Scaling.
        ExitStandby = "ExitStandby",
        /// Auto Scaling.
        DetachInstances = "DetachInstances",
        /// Auto Scaling.
        AttachInstances = "AttachInstances",
        /// Elastic Load Balancing.
        CreateTargetGroup = "CreateTargetGroup",
        /// Elastic Load Balancing.
        RegisterTargets = "RegisterTargets",
        /// Elastic Load Balancing.
        DeregisterTargets = "DeregisterTargets",
        /// Asks STS who the caller is.
        GetCallerIdentity = "GetCallerIdentity",
    }
}
