//! What the store publishes about a cluster for readers that may read nothing else of it: where it is served.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::authority::AuthorityHash;
use crate::ids::{AccountId, ClusterName, Generation, InstanceId, RegionName};
use crate::observation::{Me, Server};
use crate::time::Timestamp;

/// Where it is, below the cluster's prefix in the store.
pub const PLACE: &str = "published/endpoints.json";

/// Where the root of the authority of etcd's certificates is, in PEM: whoever asks a member for a certificate knows it by that.
pub const AUTHORITY_PLACE: &str = "published/ca.pem";

/// See the module. Written to the store as JSON, over what was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointDirectory {
    /// The format.
    pub version: u32,
    /// The account that the cluster belongs to.
    pub account: AccountId,
    /// The region that it belongs to.
    pub region: RegionName,
    /// The cluster.
    pub cluster: ClusterName,
    /// Its generation.
    pub generation: Generation,
    /// The number of the charter's highest record at that time.
    pub record: u64,
    /// The servers of the control plane, or etcd's members where there is no control plane: those that vote and stay, by instance; never empty.
    pub servers: Vec<DirectoryServer>,
    /// The authority that the API's certificates are signed by; absent where there is no API, and from an agent that did not know this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<AuthorityHash>,
    /// When it was written, by the writer's clock.
    pub written_at: Timestamp,
    /// The instance whose agent wrote it.
    pub written_by: InstanceId,
}

/// A server or member that serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryServer {
    /// Its instance.
    pub instance: InstanceId,
    /// Its address.
    pub address: IpAddr,
    /// Where it serves: the API of a server, the client URL of a member of etcd.
    pub url: String,
}

impl EndpointDirectory {
    /// The format that this code reads and writes.
    pub const VERSION: u32 = 1;

    /// Whether it is of `me`'s account, region and cluster.
    #[must_use]
    pub fn belongs_to(&self, me: &Me) -> bool {
        self.account == me.account && self.region == me.region && self.cluster == me.cluster
    }

    /// Whether a reader would learn the same from both.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.version == other.version
            && self.generation == other.generation
            && self.servers == other.servers
            && self.authority == other.authority
    }

    /// Whether it is based on a later state of the charter than `other`: an agent that was cut off for a while must not overwrite what its successor wrote.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.generation, self.record) > (other.generation, other.record)
    }

    /// The servers, as they are probed.
    pub fn servers(&self) -> impl Iterator<Item = Server> {
        self.servers.iter().map(|one| Server { instance: one.instance.clone(), address: one.address })
    }
}
