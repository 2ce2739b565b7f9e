//! A pod as a drain sees it.

use std::time::Duration;

use crate::ids::PodId;
use crate::time::Timestamp;

/// Whose pod it is, by its controlling owner reference. It is trusted as it stands: a kubelet's credential cannot read DaemonSets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A DaemonSet (`apps/v1`), which would put it back at once.
    DaemonSet,
    /// Any other controller, which makes a new one elsewhere.
    Controller,
    /// Nobody: it ends for good. kubectl refuses to evict it without `--force`.
    Nobody,
}

/// One pod bound to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Namespace, name and uid.
    pub id: PodId,
    /// See [`Owner`].
    pub owner: Owner,
    /// A static pod's mirror (annotation `kubernetes.io/config.mirror`): the kubelet's own, which no API call ends.
    pub mirror: bool,
    /// Its phase is `Succeeded` or `Failed`: nothing of it runs.
    pub finished: bool,
    /// Priority class `system-cluster-critical` or `system-node-critical`: ended last, because the others may need it while they end.
    pub critical: bool,
    /// It holds an emptyDir, whose content ends with it. kubectl refuses to evict it without `--delete-emptydir-data`.
    pub local_data: bool,
    /// The time that it asks for to end (`terminationGracePeriodSeconds`).
    pub grace: Duration,
    /// When its end was asked for; its own deadline, as the API server counts it, has its grace in it already.
    pub deleted_at: Option<Timestamp>,
}

impl Pod {
    /// A drain ends it. Not a static pod's mirror, not what its DaemonSet would put back, and not what only a finalizer keeps: nothing of that runs, its
    /// end was asked for, and whoever set the finalizer takes it away from anywhere.
    #[must_use]
    pub fn is_to_end(&self) -> bool {
        let over = self.finished && self.deleted_at.is_some();
        !self.mirror && !over && (self.owner != Owner::DaemonSet || self.finished)
    }
}
