//! The Kubernetes clusters of a lab: one for each name, behind one API server to which the stand-ins for k3s forward requests.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;

use crate::kubernetes::{ApiServer, Cluster, ClusterHandle, Delays};
use crate::wire::Faults;

/// A kubelet of the lab reports twice a second.
const NODE_GRACE: Duration = Duration::from_secs(4);

/// The clusters by name. Each is made when it is first asked for.
#[derive(Debug)]
pub struct Clusters {
    address: IpAddr,
    handles: Mutex<BTreeMap<String, ClusterHandle>>,
    servers: tokio::sync::Mutex<BTreeMap<String, ApiServer>>,
}

impl Clusters {
    /// None yet; their API servers will listen at this address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { address, handles: Mutex::default(), servers: tokio::sync::Mutex::default() }
    }

    /// The objects of a cluster.
    pub(super) fn handle(&self, name: &str) -> ClusterHandle {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.entry(name.to_owned()).or_insert_with(cluster).clone()
    }

    /// Where its API server answers, and its fault rules.
    ///
    /// # Errors
    /// It cannot listen.
    pub(crate) async fn serve(&self, name: &str) -> anyhow::Result<(String, Faults)> {
        let mut servers = self.servers.lock().await;
        if let Some(server) = servers.get(name) {
            return Ok((server.url(), server.faults().clone()));
        }
        let server = ApiServer::start(&self.handle(name), SocketAddr::from((self.address, 0))).await;
        let server = server.with_context(|| format!("cannot serve the Kubernetes API of {name}"))?;
        let served = (server.url(), server.faults().clone());
        servers.insert(name.to_owned(), server);
        Ok(served)
    }
}

/// An empty cluster in which everything is quick.
#[must_use]
pub fn cluster() -> ClusterHandle {
    let ms = Duration::from_millis;
    let mut cluster = Cluster::new(Delays { replace: ms(100), start: ms(300), kubelet: ms(50) });
    cluster.node_grace = NODE_GRACE;
    ClusterHandle::new(cluster)
}
