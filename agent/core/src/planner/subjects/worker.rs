//! The servers that a worker may join through.

use std::net::IpAddr;

use crate::authority::Pin;
use crate::observation::Server;
use crate::situation::Situation;

/// A group of the cluster's servers lists it, and EC2 gave that address for it. What a peer says of another does not count: a process that holds a peer's
/// address, or writes to the store, could otherwise choose this node's API server.
fn is_where_ec2_says(s: &Situation<'_>, server: &Server) -> bool {
    let known = s.memory.kept.seen.get(&server.instance).filter(|_| !s.is_gone(&server.instance));
    known.is_some_and(|seen| seen.group.is_some() && seen.address == Some(server.address))
}

/// The server that its configuration names, for as long as it lives; else any other. Only one at the address that EC2 gives.
pub(in crate::planner) fn living_server(s: &Situation<'_>) -> Option<IpAddr> {
    let servers = &s.seen.kubernetes.servers;
    let healthy = || servers.iter().filter(|one| one.healthy && is_where_ec2_says(s, &one.server)).map(|one| one.server.address);
    healthy().find(|address| Some(*address) == s.seen.kubernetes.points_at).or_else(|| healthy().next())
}

/// The join waits only for this node: a server answers. Asked by [`crate::tracker::absorb`].
pub(in crate::planner) fn is_up_to_this_node(s: &Situation<'_>) -> bool {
    s.paused().is_none()
        && living_server(s).is_some()
        && (s.runs() || s.seen.kubernetes.authority.fresh().is_some_and(|pin| !matches!(pin, Pin::Disputed { .. })))
        && s.seen.kubernetes.node.fresh().is_some_and(|node| node.as_ref().is_none_or(|n| !n.ready))
}

/// No known server at the address that EC2 gives answers: only then is AWS asked.
pub(crate) fn lacks_server(s: &Situation<'_>) -> bool {
    living_server(s).is_none()
}
