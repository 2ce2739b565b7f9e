//! Deliberately broken rules, to prove that the invariants would notice.

/// A rule to break. The gate is off in every one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Only the gate is off: the planner alone must do no harm.
    NoGate,
    /// A peer that does not answer is assumed to hold nothing.
    SilenceIsConsent,
    /// A peer that does not answer is assumed to be terminated.
    SilentIsGone,
    /// The instances in the groups' lists are assumed to be all instances with the cluster's tag.
    ListsAreAll,
    /// The termination hook is completed before the member has left.
    CompleteBeforeLeaving,
    /// The launch hook is completed as soon as etcd runs.
    CompleteBeforeVoting,
    /// A learner is promoted although no record names it.
    PromoteWithoutRecord,
    /// The founder serves its clients before the record says `established`.
    ServeBeforeEstablished,
    /// A silent voter is removed at once, gone or not.
    RemoveTheSilent,
    /// No heartbeat is ever sent.
    NoHeartbeat,
    /// Departed members are never removed.
    NeverPrune,
    /// What EC2 announces is not heard.
    DeafToNotices,
    /// A voter's etcd is stopped on the way out without being removed, and its data put aside.
    StopWithoutLeaving,
    /// Every voter's agent lets a server in, whether or not it holds the lock.
    AdmitWithoutLock,
    /// The agent beside the leader lets several servers in at once.
    AdmitTwo,
    /// No configuration ever names another server.
    NameNoServer,
    /// The agent beside the leader deletes the Node of a server that lives.
    DeleteLivingNode,
    /// A leaver does not drain its node.
    LeaveUndrained,
    /// A membership change waits for no snapshot.
    ChangeWithoutSnapshot,
    /// The newest snapshot is deleted.
    PruneNewest,
    /// Nobody stands in for the leader's agent.
    NeverStandIn,
    /// While the memory cannot be written no step is taken at all.
    RestOnMemory,
    /// A learner that receives a snapshot is removed like any other that applies nothing.
    RemoveReceivers,
}
