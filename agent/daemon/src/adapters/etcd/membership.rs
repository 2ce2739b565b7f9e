//! The member list, with and without a quorum's word for it.

use std::sync::Arc;

use quorate_core::ids::{EtcdClusterId, InstanceId, MemberId};
use quorate_core::observation::{Lock, Member, Membership};
use quorate_core::pausing::Pause;

use super::{Etcd, EtcdError};

/// What one linearizable read through a member proves: who the members are, who holds the lock, and whether the cluster is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumWord {
    /// The members.
    pub membership: Membership,
    /// The lock.
    pub lock: Lock,
    /// The cluster's pause.
    pub pause: Option<Pause>,
}

const LIST: &str = "MemberList";

impl Etcd {
    /// The members and the lock, as a quorum has them.
    ///
    /// # Guarantees
    /// etcd-client asks for a list that is not linearizable, and etcd 3.4 has no other: any member answers it from memory, however cut off
    /// it is. So the lock is read first, linearizably, through the same member. That read returns only after a quorum has confirmed the
    /// leader and this member has applied all that was committed by then, membership changes included. The list that it gives
    /// afterwards is therefore at least as new as the moment of the call.
    ///
    /// # Errors
    /// No quorum, no answer, or a learner, which serves neither read.
    pub async fn membership(&self, url: &str, me: &InstanceId) -> Result<QuorumWord, EtcdError> {
        let (lock, pause) = self.lock_and_pause(url, me).await?;
        let (list, status) = futures::future::join(self.list(url), self.status_within(url, self.call_timeout)).await;
        let (cluster, via, members) = list?;
        let leader = status?.leader;
        Ok(QuorumWord { membership: Membership { cluster, leader, via, members }, lock, pause })
    }

    /// The list that this member has in memory, with or without quorum: what recovery counts voters by, and nothing else rests on.
    ///
    /// # Errors
    /// No answer in time, or a learner, which serves no list.
    pub async fn local_list(&self, url: &str) -> Result<Vec<Member>, EtcdError> {
        self.list(url).await.map(|(_, _, members)| members)
    }

    async fn list(&self, url: &str) -> Result<(EtcdClusterId, MemberId, Vec<Member>), EtcdError> {
        let response = self.endpoints.call(url, LIST, self.call_timeout, async |c| c.cluster_client().member_list().await).await?;
        let header = response.header().ok_or_else(|| EtcdError::incomplete(url, LIST, "a header"))?;
        let members = response.members().iter().map(|entry| member(entry, self.names)).collect();
        Ok((EtcdClusterId(header.cluster_id()), MemberId(header.member_id()), members))
    }
}

/// A member that never started has neither a name nor a client URL.
fn member(entry: &etcd_client::Member, names: fn(&str) -> Option<InstanceId>) -> Member {
    Member {
        id: MemberId(entry.id()),
        name: Some(entry.name()).filter(|name| !name.is_empty()).and_then(names),
        peer_url: entry.peer_urls().first().map_or_else(|| Arc::from(""), |url| Arc::from(url.as_str())),
        client_url: entry.client_urls().first().map(|url| Arc::from(url.as_str())),
        learner: entry.is_learner(),
    }
}

/// The instance id that a member's name is.
pub(super) fn instance_of_name(name: &str) -> Option<InstanceId> {
    InstanceId::parse(name).ok()
}
