//! Which steps wait after a refusal.

/// A kind of step that is not tried again at once after it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackoffKey {
    /// Starting the member.
    Start,
    /// Creating a charter record.
    Record,
    /// Adding a learner.
    AddLearner,
    /// Promoting one.
    Promote,
    /// Removing a member.
    Remove,
    /// Moving the leadership.
    MoveLeader,
    /// Adopting a reattached volume's data.
    Adopt,
    /// Changing a member's peer URL.
    PeerUrl,
    /// Asking the group for a replacement.
    ReportUnhealthy,
    /// Taking the lock.
    Lock,
    /// Writing or deleting the cluster's pause.
    Pause,
    /// Taking a snapshot.
    Snapshot,
    /// Reading a snapshot onto this disk.
    Fetch,
    /// Restoring data.
    Restore,
    /// Restoring a snapshot on trial.
    Drill,
    /// Deleting snapshots.
    PruneSnapshots,
    /// Draining the Node.
    Drain,
    /// Cordoning it.
    Cordon,
    /// Uncordoning it.
    Uncordon,
    /// Asking the distribution to remove its member.
    AnnotateRemoval,
    /// Deleting a Node.
    DeleteNode,
    /// Having the distribution's configuration name another server.
    PointAt,
}
