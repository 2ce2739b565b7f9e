//! Whether a join is wanted at all, and whether its time is over.

use crate::charter::State;
use crate::observation::PeerAnswer;
use crate::role::Role;
use crate::situation::Situation;

/// A server that cannot read etcd goes by what a voter tells of the servers that vote and answer.
fn is_spare_server(s: &Situation<'_>) -> bool {
    let Some(record) = s.record().filter(|r| r.state == State::Established && !r.lists(s.me())) else { return false };
    let is_server = s.seen.me.role == Role::ControlPlane && s.disk_is_empty() && s.is_stopped();
    let limit = s.policy.max_voters + usize::from(record.voters.iter().any(|v| s.is_leaving(&v.instance)));
    let full = |p: &PeerAnswer| p.quorum.is_some() && p.quorum == record.etcd_cluster && p.control_plane.servers.len() >= limit;
    is_server && record.voters.iter().any(|v| s.peer(&v.instance).is_some_and(full))
}

/// A healthy cluster at its limit; the limit is one more while a voter is leaving.
pub(in crate::planner) fn is_spare(s: &Situation<'_>) -> bool {
    let Some(membership) = s.membership() else { return is_spare_server(s) };
    if !s.disk_is_empty() || s.own_entries(&membership.members).next().is_some() {
        return false;
    }
    let leaving = membership.voters().any(|m| s.instance_of(m).is_some_and(|instance| s.is_leaving(&instance)));
    membership.voters().count() >= s.policy.max_voters + usize::from(leaving)
}

/// The join deadline has passed, and with it this node's own time.
pub(in crate::planner) fn deadline_passed(s: &Situation<'_>) -> bool {
    s.memory.joining >= s.policy.join_deadline
}
