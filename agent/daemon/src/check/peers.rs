//! Whether the other instances' ports can be reached from here.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use quorate_core::ids::InstanceId;

use super::finding::Finding;
use super::reach::{self, Reach};

/// Within a region a connection takes milliseconds.
const LIMIT: Duration = Duration::from_secs(3);

/// Connects to each of these ports of each peer, side by side. `whose` names the two security groups for the remedy.
pub(super) async fn check(peers: &[(InstanceId, IpAddr)], ports: &[u16], whose: [&str; 2]) -> Vec<Finding> {
    join_all(ports.iter().map(|port| async move {
        let port = *port;
        let each = peers.iter().map(|(id, ip)| async move { (id, reach::address(SocketAddr::new(*ip, port), LIMIT).await) });
        judge(port, &join_all(each).await, whose)
    }))
    .await
}

/// Judges what was found. A refused connection did get through: it is only that nothing listens there yet.
fn judge(port: u16, found: &[(&InstanceId, Reach)], [from, to]: [&str; 2]) -> Finding {
    let name = format!("peers on port {port}");
    if found.is_empty() {
        return Finding::skipped(name, "no other instance of the cluster runs");
    }
    let away: Vec<_> = found.iter().filter(|(_, reach)| !matches!(reach, Reach::Connected(_) | Reach::Refused)).collect();
    let refused = found.iter().filter(|(_, reach)| *reach == Reach::Refused).count();
    let Some((_, why)) = away.first() else {
        let listens = if refused == 0 { String::new() } else { format!("; on {refused} of them nothing listens there now") };
        return Finding::ok(name, format!("all {} can be reached{listens}", found.len()));
    };
    let names: Vec<_> = away.iter().map(|(id, _)| id.as_str()).collect();
    let what = format!("{} of {} cannot be reached ({}): {why}", away.len(), found.len(), names.join(", "));
    let remedy = format!("let {from} security group into {to} on port {port}, in and out, and check network ACLs");
    if away.len() == found.len() { Finding::problem(name, what, remedy) } else { Finding::warning(name, what, remedy) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem, Skipped, Warning};

    fn verdict(reaches: &[Reach]) -> Verdict {
        let id = InstanceId::new("i-1");
        judge(2380, &reaches.iter().map(|reach| (&id, reach.clone())).collect::<Vec<_>>(), ["the workers'", "the servers'"]).verdict
    }

    #[test]
    fn silence_of_all_is_the_networks_and_silence_of_one_may_be_its_own() {
        let (there, silent) = (Reach::Connected(([10, 0, 0, 1], 2380).into()), Reach::Silent(LIMIT));
        assert_eq!(verdict(&[there.clone(), Reach::Refused]), Fine);
        assert_eq!(verdict(&[there, silent.clone()]), Warning);
        assert_eq!(verdict(&[silent.clone(), silent]), Problem);
        assert_eq!(verdict(&[]), Skipped);
    }
}
