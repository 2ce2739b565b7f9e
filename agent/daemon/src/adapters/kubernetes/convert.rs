//! Converts the API's Pod to the drain's.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1 as api;
use quorate_core::drain::{Owner, Pod};
use quorate_core::ids::PodId;
use quorate_core::time::Timestamp;

/// Set on the API's copy of a static pod, whose file the kubelet reads (kubernetes/kubernetes `pkg/kubelet/types/constants.go`).
const MIRROR: &str = "kubernetes.io/config.mirror";
/// What a Pod without `terminationGracePeriodSeconds` gets.
const GRACE: Duration = Duration::from_secs(30);

/// The Pod; none for an answer without name or uid, which no API server gives.
pub(super) fn pod(pod: api::Pod) -> Option<Pod> {
    let (meta, spec, status) = (pod.metadata, pod.spec.unwrap_or_default(), pod.status.unwrap_or_default());
    let text = |text: &str| Arc::<str>::from(text);
    let id = PodId { namespace: text(meta.namespace.as_deref()?), name: text(meta.name.as_deref()?), uid: text(meta.uid.as_deref()?) };
    let controller = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    Some(Pod {
        id,
        owner: match controller {
            Some(owner) if owner.kind == "DaemonSet" && owner.api_version == "apps/v1" => Owner::DaemonSet,
            Some(_) => Owner::Controller,
            None => Owner::Nobody,
        },
        mirror: meta.annotations.iter().flatten().any(|(key, _)| key == MIRROR),
        finished: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
        critical: matches!(spec.priority_class_name.as_deref(), Some("system-cluster-critical" | "system-node-critical")),
        local_data: spec.volumes.iter().flatten().any(|volume| volume.empty_dir.is_some()),
        grace: spec.termination_grace_period_seconds.and_then(|s| u64::try_from(s).ok()).map_or(GRACE, Duration::from_secs),
        deleted_at: meta.deletion_timestamp.and_then(|at| u64::try_from(at.0.as_millisecond()).ok()).map(Timestamp),
    })
}
