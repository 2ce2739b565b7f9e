//! The Kubernetes of this node, opened once at start: its distribution, its API servers and its drain.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::authority::AuthorityHash;
use quorate_core::ids::InstanceId;
use quorate_core::observation::Draining;
use quorate_core::plan::{NodeStep, Outcome};

use crate::adapters::distribution::Distribution;
use crate::adapters::kubernetes::{ApiServers, KubernetesError, ServerProbe};
use crate::clock::Clock;
use crate::drain::DrainTask;
use crate::telemetry::chain;

/// See the module.
pub struct Kubernetes {
    distribution: Arc<dyn Distribution>,
    api: Arc<ApiServers>,
    probe: ServerProbe,
    drain: DrainTask,
    node: String,
}

impl Kubernetes {
    /// Nothing is asked or read yet. `node` is this instance's Node; no call to an API server takes longer than `limit`.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub fn new(distribution: Arc<dyn Distribution>, node: &InstanceId, limit: Duration, clock: Clock) -> Result<Self, KubernetesError> {
        let api = Arc::new(ApiServers::at(&distribution.kubeconfig(), limit));
        let probe = ServerProbe::new(distribution.probe())?;
        Ok(Self { distribution, api, probe, drain: DrainTask::new(node.as_str(), clock), node: node.to_string() })
    }

    /// Whether the API of the server at this address answers within a second, without credentials.
    pub async fn answers(&self, server: IpAddr) -> bool {
        self.probe.answers(server).await
    }

    /// The API servers.
    #[must_use]
    pub fn api(&self) -> &ApiServers {
        &self.api
    }

    /// The drain's progress.
    #[must_use]
    pub fn draining(&self) -> Draining {
        self.drain.state()
    }

    /// Forgets the drain, because the node stays: another notice drains it again.
    pub fn stays(&self) {
        self.drain.forget();
    }

    /// The server in the configuration with which the distribution was started; also none if it cannot be read.
    #[must_use]
    pub fn points_at(&self) -> Option<IpAddr> {
        self.distribution.configured().ok()?.server
    }

    /// The authority that this node's own token names.
    #[must_use]
    pub fn pinned(&self) -> Option<AuthorityHash> {
        self.distribution.pinned()
    }

    /// Sets the servers that are asked from now on, in this order.
    pub fn turn_to(&self, servers: impl Iterator<Item = IpAddr>) {
        self.api.set_servers(&servers.collect::<Vec<_>>(), self.distribution.api_port());
    }

    /// Executes a step that concerns a Node.
    pub async fn act(&self, step: &NodeStep) -> Outcome {
        match step {
            NodeStep::Drain(limits) => {
                self.drain.drain(Arc::clone(&self.api), *limits);
                Outcome::Done
            }
            NodeStep::Cordon => self.api.cordon(&self.node).await,
            NodeStep::Uncordon => self.api.uncordon(&self.node).await,
            NodeStep::AnnotateRemoval { .. } => self.api.annotate_removal(&self.node).await,
            NodeStep::Delete { instance, uid } => self.api.delete_node(instance.as_str(), uid).await,
            NodeStep::PointAt { server } => match self.distribution.point_at(*server) {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Refused(chain(&error)),
            },
        }
    }
}
