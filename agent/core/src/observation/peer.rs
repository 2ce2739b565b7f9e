//! What agents say to each other on port 2378.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::agent_key::AgentKey;
use crate::charter::Record;
use crate::etcd_version::{EtcdVersion, StartRefusal};
use crate::ids::{EtcdClusterId, Generation, InstanceId, MemberId};
use crate::report::Phase;
use crate::rotation::Told;

/// Whether an instance holds member data, as its own agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "data")]
pub enum DataClaim {
    /// The data mount is not proven yet, or the directory could not be read.
    Unknown,
    /// The directory was read and holds no member.
    None,
    /// It holds a member's data.
    Holds {
        /// The etcd cluster that it belongs to.
        cluster: EtcdClusterId,
        /// The member that it belongs to.
        member: MemberId,
        /// The generation written beside it; absent for data that Quorate did not make.
        generation: Option<Generation>,
        /// Whether that member is a voter in its own list; absent while its etcd does not answer.
        voter: Option<bool>,
        /// Raft term, if its etcd answers.
        term: Option<u64>,
        /// Applied raft index, which is all that a restore keeps; absent while its etcd does not answer.
        applied: Option<u64>,
        /// The last revision of its keys, which shows whether a snapshot is newer; absent while its etcd does not answer, and from an agent that does
        /// not know this field.
        #[serde(default)]
        revision: Option<u64>,
    },
}

/// A server of the control plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Server {
    /// Its instance.
    pub instance: InstanceId,
    /// Where its API is.
    pub address: IpAddr,
}

/// What agents of a control plane say to each other, because a server that has not joined yet has no credentials to ask etcd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ControlPlane {
    /// It may join, and waits for the agent beside the leader to admit it.
    pub seeks: bool,
    /// The server that this agent, beside the leader and holding the lock, admits next.
    pub admits: Option<InstanceId>,
    /// The servers that vote and answer, by a quorum's list.
    pub servers: Vec<Server>,
}

impl ControlPlane {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// One agent's answer to its peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAnswer {
    /// The instance that answers; the asker has compared it with the address that EC2 gives for that id.
    pub instance: InstanceId,
    /// What it is doing.
    pub phase: Phase,
    /// The highest charter record that it remembers.
    pub record: Option<Record>,
    /// Its member data.
    pub data: DataClaim,
    /// The etcd cluster that has just answered it with quorum: nothing is founded or recovered beside that, even where other nodes cannot reach it.
    #[serde(default)]
    pub quorum: Option<EtcdClusterId>,
    /// What concerns a control plane.
    #[serde(default, skip_serializing_if = "ControlPlane::is_nothing")]
    pub control_plane: ControlPlane,
    /// The etcd that is installed there; absent from an agent that does not know this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd: Option<EtcdVersion>,
    /// It does not start its etcd, and no waiting would fix that: a node that waits for it as a replacement waits for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<StartRefusal>,
    /// Bytes of a snapshot that etcd's leader sends its member, which has not loaded it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    /// What its certificates are, in a cluster with TLS; absent from an agent that does not know this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Told>,
    /// It has a notice or an order to leave.
    pub leaving: bool,
    /// Milliseconds until it must be gone, if it is leaving.
    pub leave_within_ms: Option<u64>,
    /// The key that signed this very answer, as the asker has verified; an agent from before there were keys signs nothing. No text of the answer sets it.
    #[serde(skip)]
    pub signed_by: Option<AgentKey>,
    /// It came over TLS, under a certificate of the cluster's authority that names this instance, as the asker has verified. No text of the answer sets it.
    #[serde(skip)]
    pub certified: bool,
}
