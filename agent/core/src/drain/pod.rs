//! A pod as a drain sees it.

use std::time::Duration;

use crate::ids::PodId;
use crate::time::Timestamp;

/// The owner of a pod, by its controlling owner reference. That is trusted as it is: a kubelet's credential cannot read DaemonSets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A DaemonSet (`apps/v1`), which would put the pod back at once.
    DaemonSet,
    /// Any other controller, which creates a new pod elsewhere.
    Controller,
    /// No controller: the pod ends for good. kubectl refuses to evict it without `--force`.
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
    /// Its phase is `Succeeded` or `Failed`: none of it runs.
    pub finished: bool,
    /// Priority class `system-cluster-critical` or `system-node-critical`: ended last, because the others may need it while they end.
    pub critical: bool,
    /// It holds an emptyDir, whose content ends with it. kubectl refuses to evict it without `--delete-emptydir-data`.
    pub local_data: bool,
    /// The time that it asks for before it ends (`terminationGracePeriodSeconds`).
    pub grace: Duration,
    /// Its deadline, if its end was asked for: the API server's own, which already includes its grace.
    pub deleted_at: Option<Timestamp>,
}

impl Pod {
    /// A drain has to end it. It leaves a static pod's mirror, a pod that its DaemonSet would put back, and one that only a finalizer keeps. None of the last
    /// runs, its end was asked for, and the controller that set the finalizer can remove it from anywhere.
    #[must_use]
    pub fn is_to_end(&self) -> bool {
        let over = self.finished && self.deleted_at.is_some();
        !self.mirror && !over && (self.owner != Owner::DaemonSet || self.finished)
    }
}
