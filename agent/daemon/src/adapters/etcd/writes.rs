//! Membership changes. Each is one call through one voter; etcd's strict-reconfig-check may refuse it.

use etcd_client::MemberAddOptions;
use quorate_core::ids::MemberId;
use quorate_core::plan::Outcome;

use super::{Etcd, outcome};

impl Etcd {
    /// MemberAdd as a learner. Not idempotent in etcd: its new id is a hash of the URL and the second, so a repeated call finds that the URL exists, or within
    /// the same second the id. An earlier call of ours whose answer was lost may have added it, so the outcome is unclear and the caller looks at the list.
    pub async fn add_learner(&self, url: &str, peer_url: &str) -> Outcome {
        let options = MemberAddOptions::new().with_is_learner();
        let call = async |c: &etcd_client::Client| c.cluster_client().member_add([peer_url.to_owned()], Some(options)).await;
        let result = self.endpoints.call(url, "MemberAdd", self.call_timeout, call).await;
        outcome::of(result, &[], &["Peer URLs already exists", "member ID already exist"])
    }

    /// MemberPromote. Any voter accepts it and forwards it to the leader. A member that is already a voter counts as done.
    pub async fn promote(&self, url: &str, member: MemberId) -> Outcome {
        let call = async |c: &etcd_client::Client| c.cluster_client().member_promote(member.0).await;
        let result = self.endpoints.call(url, "MemberPromote", self.call_timeout, call).await;
        match outcome::of(result, &[], &[]) {
            // The longer form, "... which is in sync with leader", is a refusal.
            Outcome::Refused(text) if text.ends_with("can only promote a learner member") => Outcome::Done,
            other => other,
        }
    }

    /// MemberRemove. An id that is not, or no longer, listed counts as removed: ids are never reused.
    pub async fn remove(&self, url: &str, member: MemberId) -> Outcome {
        let call = async |c: &etcd_client::Client| c.cluster_client().member_remove(member.0).await;
        let result = self.endpoints.call(url, "MemberRemove", self.call_timeout, call).await;
        outcome::of(result, &["member not found"], &[])
    }

    /// MemberUpdate: lists `member` at `peer_url` alone.
    pub async fn update_peer_url(&self, url: &str, member: MemberId, peer_url: &str) -> Outcome {
        let call = async |c: &etcd_client::Client| c.cluster_client().member_update(member.0, [peer_url.to_owned()]).await;
        let result = self.endpoints.call(url, "MemberUpdate", self.call_timeout, call).await;
        outcome::of(result, &[], &[])
    }

    /// MoveLeader, which only the leader itself accepts: `url` must be the leader's own endpoint.
    pub async fn move_leader(&self, url: &str, to: MemberId) -> Outcome {
        let call = async |c: &etcd_client::Client| c.maintenance_client().move_leader(to.0).await;
        let result = self.endpoints.call(url, "MoveLeader", self.call_timeout, call).await;
        outcome::of(result, &[], &[])
    }
}
