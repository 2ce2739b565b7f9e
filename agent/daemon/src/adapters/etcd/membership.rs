//! The member list, confirmed by a quorum or not.

use quorate_core::ids::{EtcdClusterId, InstanceId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::{Lock, Member, Membership, PeerUrl};
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
    /// etcd-client asks for a list that is not linearizable, and etcd 3.4 has no other: any member answers it from memory, however isolated it is. So the lock
    /// is read first, linearizably, through the same member. That read returns only after a quorum has confirmed the leader and this member has applied all
    /// that was committed by then, membership changes included. The list that it gives afterwards is therefore at least as new as the moment of the call.
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

    /// The list that this member has in memory, with or without quorum: recovery counts voters by it, and nothing else relies on it.
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

/// etcd's entry, or a stranger's: any writer to etcd chooses its content.
fn member(entry: &etcd_client::Member, names: fn(&str) -> Option<InstanceId>) -> Member {
    let (id, learner) = (MemberId(entry.id()), entry.is_learner());
    let (name, peers, clients) = (entry.name(), entry.peer_urls(), entry.client_urls());
    known(id, learner, name, (peers, clients), names)
        .unwrap_or_else(|| Member::stranger(id, learner, format!("{name} {}", [peers, clients].concat().join(",")).trim()))
}

/// A known member's entry. One that never started has neither a name nor a client URL. All of its URLs must be valid, although only the first of each kind is
/// used.
fn known(
    id: MemberId,
    learner: bool,
    name: &str,
    (peers, clients): (&[String], &[String]),
    names: fn(&str) -> Option<InstanceId>,
) -> Option<Member> {
    let all = |urls: &[String]| urls.iter().map(|url| url.parse().ok()).collect::<Option<Vec<MemberUrl>>>();
    let name = match name {
        "" => None,
        name => Some(names(name)?),
    };
    let (peer_url, client_url) = (PeerUrl::At(*all(peers)?.first()?), all(clients)?.first().copied());
    Some(Member { id, name, peer_url, client_url, learner })
}

/// The instance id in a member's name.
pub(super) fn instance_of_name(name: &str) -> Option<InstanceId> {
    InstanceId::parse(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, peers: &[&str], clients: &[&str]) -> Option<Member> {
        let owned = |urls: &[&str]| urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>();
        known(MemberId(1), false, name, (&owned(peers), &owned(clients)), instance_of_name)
    }

    #[test]
    fn a_member_is_an_instance_at_addresses() {
        let (peer, client) = ("http://10.0.0.1:2380", "http://10.0.0.1:2379");
        let named = read("i-0a1", &[peer], &[client]).unwrap();
        assert_eq!((named.name, named.client_url.map(|url| url.to_string())), (Some("i-0a1".into()), Some(client.to_owned())));
        let unstarted = read("", &[peer], &[]).unwrap();
        assert_eq!((unstarted.name, unstarted.client_url, unstarted.peer_url.to_string()), (None, None, peer.to_owned()));
    }

    #[test]
    fn whatever_else_it_says_makes_it_a_stranger() {
        let (peer, client) = ("http://10.0.0.1:2380", "http://10.0.0.1:2379");
        for (name, peers, clients) in [
            ("db 1", vec![peer], vec![client]),
            ("i-", vec![peer], vec![client]),
            ("i-0a1;x", vec![peer], vec![client]),
            ("i-0a1", vec![], vec![client]),
            ("i-0a1", vec!["http://db.example:2380"], vec![client]),
            ("i-0a1", vec![peer], vec!["http://10.0.0.1:2379\n'$HOME'"]),
            ("i-0a1", vec![peer], vec![client, "http://\"db\";x:2379"]),
        ] {
            assert_eq!(read(name, &peers, &clients), None, "{name:?} {peers:?} {clients:?}");
        }
        let stranger = Member::stranger(MemberId(0xf6), false, "db http://x\n\u{1b}[31m");
        assert_eq!(stranger.to_string(), "stranger db http://x\\n\\u{1b}[31m (f6)");
    }
}
