//! etcd's gRPC API, one member at a time.
//!
//! Every call goes to one named endpoint: health and status are those of the member that is asked, and etcd-client's balancer over several endpoints would keep
//! picking a dead one. Nothing is retried here: the loop looks again.
//!
//! It also reads etcd's own file, on the disk or in a store: [`summary`] and [`latest_revision`].

mod backend;
mod credentials;
mod endpoints;
mod error;
mod lock;
mod membership;
mod outcome;
mod pause;
mod snapshot;
mod status;
mod version;
mod writes;

use std::time::Duration;

pub use backend::{
    BackendError, Compaction, Flaw, Ranges, Summary, cluster_version, compaction, current_revision, latest_revision, summary, summary_after,
};
pub use credentials::CredentialFiles;
pub use error::EtcdError;
pub use membership::QuorumWord;
pub use snapshot::{Blob, SnapshotStream, Source};
pub use version::{VersionClient, VersionError};

use quorate_core::ids::InstanceId;

use crate::clock::Clock;
use endpoints::Endpoints;
use lock::Held;

/// Longest time that a member may take for its own status: a slower one is not worth waiting for.
const STATUS_LIMIT: Duration = Duration::from_secs(1);

/// One client per member, made when it is first asked and dropped when it fails.
#[derive(Debug)]
pub struct Etcd {
    endpoints: Endpoints,
    names: fn(&str) -> Option<InstanceId>,
    call_timeout: Duration,
    clock: Clock,
    held: std::sync::Mutex<Option<Held>>,
}

impl Etcd {
    /// Quorate's own etcd: in plain HTTP, or over TLS with these files, as each member's URL says. No connection yet. `call_timeout` bounds every call except a
    /// status, which is limited to one second.
    #[must_use]
    pub fn new(files: Option<CredentialFiles>, call_timeout: Duration, clock: Clock) -> Self {
        Self::reached(files, membership::instance_of_name, call_timeout, clock)
    }

    /// The etcd in a distribution's servers, over TLS with these files, which are read again whenever they change. Until they first exist, every call fails and
    /// says so.
    #[must_use]
    pub fn of_distribution(files: CredentialFiles, call_timeout: Duration, clock: Clock) -> Self {
        Self::reached(Some(files), credentials::instance_of, call_timeout, clock)
    }

    fn reached(files: Option<CredentialFiles>, names: fn(&str) -> Option<InstanceId>, call_timeout: Duration, clock: Clock) -> Self {
        Self { endpoints: Endpoints::new(clock, files), names, call_timeout, clock, held: std::sync::Mutex::default() }
    }
}
