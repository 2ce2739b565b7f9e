//! A member's own status.

use std::time::Duration;

use etcd_client::StatusResponse;
use quorate_core::etcd_version::EtcdVersion;
use quorate_core::ids::{EtcdClusterId, MemberId};
use quorate_core::observation::{Alarm, MemberStatus};

use super::{Etcd, EtcdError, STATUS_LIMIT};

const STATUS: &str = "Status";

impl Etcd {
    /// The member's own status, within one second. Learners answer it too.
    ///
    /// # Errors
    /// No answer in time, or none at all.
    pub async fn status(&self, url: &str) -> Result<MemberStatus, EtcdError> {
        self.status_within(url, STATUS_LIMIT).await
    }

    /// The member's own status, within `limit`.
    ///
    /// # Errors
    /// No answer in time, or none at all.
    pub async fn status_within(&self, url: &str, limit: Duration) -> Result<MemberStatus, EtcdError> {
        let response = self.endpoints.call(url, STATUS, limit, async |c| c.maintenance_client().status().await).await?;
        let header = response.header().ok_or_else(|| EtcdError::incomplete(url, STATUS, "a header"))?;
        Ok(MemberStatus {
            member: MemberId(header.member_id()),
            cluster: EtcdClusterId(header.cluster_id()),
            leader: leader(&response),
            learner: response.is_learner(),
            term: response.raft_term(),
            index: response.raft_index(),
            applied: response.raft_applied_index(),
            // Every answer's header carries it; no cluster's is below 1.
            revision: u64::try_from(header.revision()).ok().filter(|revision| *revision > 0),
            version: EtcdVersion::parse(StatusResponse::version(&response)),
            alarms: alarms(response.errors()),
        })
    }
}

/// etcd says 0 for "none".
fn leader(response: &StatusResponse) -> Option<MemberId> {
    Some(response.leader()).filter(|id| *id != 0).map(MemberId)
}

/// From 3.4 to 3.7 the whole cluster's alarms appear among the status's errors as protobuf text: `memberID:123 alarm:NOSPACE `.
fn alarms(errors: &[String]) -> Vec<Alarm> {
    let raised = |name: &str| errors.iter().any(|e| e.split_whitespace().any(|word| word.strip_prefix("alarm:") == Some(name)));
    let known = [(Alarm::NoSpace, "NOSPACE"), (Alarm::Corrupt, "CORRUPT")];
    known.into_iter().filter(|(_, name)| raised(name)).map(|(alarm, _)| alarm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_found_among_the_errors() {
        let errors = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(alarms(&errors(&["etcdserver: no leader"])), []);
        assert_eq!(alarms(&errors(&["memberID:1 alarm:NOSPACE ", "memberID:2 alarm:NOSPACE "])), [Alarm::NoSpace]);
        assert_eq!(alarms(&errors(&["memberID:1 alarm:CORRUPT ", "memberID:2 alarm:NOSPACE "])), [Alarm::NoSpace, Alarm::Corrupt]);
    }
}
