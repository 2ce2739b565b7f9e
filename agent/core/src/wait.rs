//! What a node can wait for.

use std::fmt;

use crate::observation::ScalingProcess;

/// Declares the reasons, their names, and the list of them all, so none can be forgotten in one of these places.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a node waits for. The report says for how long, and who has to act.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum WaitReason {
            $($(#[$doc])* $variant,)*
        }

        impl WaitReason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, in status and as a label.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

reasons! {
    /// Its own disk and processes are to be read or written.
    LocalFacts = "local-facts",
    /// What must be remembered is to be written into the state directory.
    StateDirectory = "state-directory",
    /// The charter is to be read, to rebuild a damaged memory.
    DamagedMemory = "damaged-memory",
    /// The store is to be read.
    Store = "store",
    /// The store refused a write a moment ago.
    StoreRefused = "store-refused",
    /// Its group's list, its own place in it, or the group's hooks are to be read.
    Group = "group",
    /// EC2 is to be asked.
    Ec2 = "ec2",
    /// EC2 is to show this instance with the cluster's tag.
    Tag = "tag",
    /// A heartbeat for its launch hook is to be accepted.
    Heartbeat = "heartbeat",
    /// Older instances may found the cluster first.
    OlderInstances = "older-instances",
    /// Another instance is founding or recovering.
    Founder = "founder",
    /// No node can carry out a claim in the charter.
    BlockedClaim = "blocked-claim",
    /// Every other instance is to consent, or to be gone.
    Consent = "consent",
    /// The others' answers are to be signed, or an operator decides.
    SignedAnswers = "signed-answers",
    /// No store is configured: an operator decides.
    NoStore = "no-store",
    /// The store holds another cluster's objects.
    ForeignStore = "foreign-store",
    /// The charter contradicts itself, or what this node remembers.
    BrokenCharter = "broken-charter",
    /// A record vanished from the store.
    VanishedRecord = "vanished-record",
    /// The charter is to say that this node's data may be started.
    Charter = "charter",
    /// The data on this disk belongs to no member that Quorate knows.
    UnknownData = "unknown-data",
    /// The etcd installed here, or the cluster's version, is to be known.
    VersionFacts = "version-facts",
    /// Its etcd is of a version that does not fit.
    EtcdVersion = "etcd-version",
    /// Its etcd's certificates are to be issued, or to become valid.
    Certificates = "certificates",
    /// Its etcd refuses its flags.
    EtcdFlags = "etcd-flags",
    /// Another process has a port of its etcd.
    EtcdPort = "etcd-port",
    /// A process that was started a moment ago is to answer.
    EtcdStart = "etcd-start",
    /// Its own etcd is to lead, to answer, or to be listed.
    OwnEtcd = "own-etcd",
    /// A quorum is to answer.
    Quorum = "quorum",
    /// etcd is to accept this agent's calls.
    Refused = "refused",
    /// The missing voters may come back.
    QuorumLossGrace = "quorum-loss-grace",
    /// Quorum is lost for good, and no node may act without an operator.
    QuorumLost = "quorum-lost",
    /// Every voter's data is lost, and nothing can be restored without an operator.
    TotalLoss = "total-loss",
    /// Its group is to list it.
    NotInGroup = "not-in-group",
    /// An operator's order cannot be carried out.
    Order = "order",
    /// A snapshot is being read from the store.
    Fetch = "fetch",
    /// A restore failed, and is to be tried again.
    Restore = "restore",
    /// Enough voters are to be healthy.
    HealthyVoters = "healthy-voters",
    /// A voter is to answer.
    SilentVoter = "silent-voter",
    /// A departed voter is to be removed.
    DepartedVoter = "departed-voter",
    /// The agent beside the leader is to answer.
    LeaderAgent = "leader-agent",
    /// Another learner is to be promoted or removed.
    OtherLearner = "other-learner",
    /// A member that belongs to no node is to be removed.
    Stranger = "stranger",
    /// etcd reports that its members' data differ.
    Corrupt = "corrupt",
    /// A voter is to be listed at its new address.
    MovedVoter = "moved-voter",
    /// etcd refused a change a moment ago.
    EtcdRefused = "etcd-refused",
    /// The cluster-wide lock is to be acquired.
    Lock = "lock",
    /// The agent beside the leader is to admit this server.
    Admission = "admission",
    /// The member of the server that was admitted is to start.
    AdmittedServer = "admitted-server",
    /// The agent beside the leader is to promote this learner.
    Promotion = "promotion",
    /// The learner is to be ready for its promotion.
    LearnerReady = "learner-ready",
    /// Its own member is to be removed.
    OwnRemoval = "own-removal",
    /// Another instance is to take over before this one leaves.
    Replacement = "replacement",
    /// Its group is to replace this instance.
    OwnReplacement = "own-replacement",
    /// It is the last voter, and its instance keeps running.
    LastVoter = "last-voter",
    /// Its group keeps this instance, whose termination was abandoned.
    Retained = "retained",
    /// The node is being drained.
    Drain = "drain",
    /// A snapshot is being taken just before a change.
    Snapshot = "snapshot",
    /// The last voter's final snapshot is to be taken.
    FinalSnapshot = "final-snapshot",
    /// The group is to accept the completion of a hook.
    HookCompletion = "hook-completion",
    /// Its group is to end a hook by its timeout, as only it can.
    HookTimeout = "hook-timeout",
    /// A server that a worker can join through is to answer.
    Server = "server",
    /// The token and the store name different authorities.
    Authority = "authority",
    /// Its Node is to be ready.
    Node = "node",
    /// An operator is to end a pause.
    Paused = "paused",
}

impl WaitReason {
    /// The processes of its group that end this wait. While one is suspended, it lasts.
    #[must_use]
    pub fn relies_on(self) -> &'static [ScalingProcess] {
        match self {
            Self::Replacement => &[ScalingProcess::Launch],
            Self::OwnReplacement => &[ScalingProcess::ReplaceUnhealthy, ScalingProcess::Terminate],
            _ => &[],
        }
    }
}

/// What is awaited now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// What for.
    pub reason: WaitReason,
    /// How far it has come, in any unit, if that can be measured.
    pub progress: Option<u64>,
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
