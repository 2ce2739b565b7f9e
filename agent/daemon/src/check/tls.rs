//! The certificates of Quorate's own etcd: whether the cluster has TLS, and for how long this node's certificates last.

use quorate_core::role::Role;
use quorate_core::transport::Transport;

use crate::config::Settings;
use crate::status::{Status, TlsLine};

use super::finding::Finding;
use super::node::Node;

const NAME: &str = "tls";

/// They are renewed at half of their life, so less than this means that renewing fails, unless they are made for less.
const SOON_MS: u64 = 48 * 3_600_000;

/// `status` is the running agent's; without one, what a cluster that is founded now would have is judged. A distribution brings its own.
pub(super) fn check(node: &Node, settings: &Settings, status: Option<&Status>) -> Option<Finding> {
    if node.parts.role != Role::Etcd {
        return None;
    }
    Some(match status {
        Some(Status { tls: Some(line), .. }) => certificates(line, settings),
        Some(Status { record: Some(_), .. }) => without("this cluster has no TLS"),
        Some(_) | None => match settings.policy.transport {
            Transport::Tls => Finding::ok(NAME, "a cluster that is founded now has TLS"),
            Transport::Plain => without("a cluster that is founded now has no TLS"),
        },
    })
}

fn certificates(line: &TlsLine, settings: &Settings) -> Finding {
    let remedy = "the agent's journal says why they are not renewed: the store below pki/, or this machine's clock";
    let soon = SOON_MS.min(u64::try_from(settings.leaf_life.as_millis() / 3).unwrap_or(SOON_MS));
    match line.ends_in_ms {
        Some(left) if left >= soon => Finding::ok(NAME, line.to_string()),
        Some(_) | None => Finding::problem(NAME, line.to_string(), remedy),
    }
}

fn without(found: &str) -> Finding {
    let remedy =
        "keep ports 2379 and 2380 inside the members' security group; set `mode = \"managed\"` in [tls] before a cluster is founded";
    Finding::warning(NAME, format!("{found}: any process that reaches its ports can read and change everything in etcd"), remedy)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Ok as Fine, Problem, Warning};
    use super::*;

    fn line(ends_in_ms: Option<u64>) -> TlsLine {
        TlsLine {
            authority: ends_in_ms.map(|_| "ab".repeat(32)),
            rotation: None,
            ends_in_ms,
            lacking: ends_in_ms.is_none().then(|| "the store refused".into()),
        }
    }

    #[test]
    fn certificates_that_should_long_have_been_renewed_are_a_problem() {
        let settings = Settings::parse("").unwrap();
        let hours = |hours: u64| certificates(&line(Some(hours * 3_600_000)), &settings);
        assert_eq!((hours(85).verdict, hours(49).verdict, hours(47).verdict, hours(0).verdict), (Fine, Fine, Problem, Problem));
        let none = certificates(&line(None), &settings);
        assert!(none.verdict == Problem && none.found.contains("the store refused"), "{none:?}");
        let short = Settings::parse("[tls]\nleaf_life_s = 30\n").unwrap();
        assert_eq!(certificates(&line(Some(16_000)), &short).verdict, Fine);
    }

    #[test]
    fn a_cluster_without_tls_is_warned_of_and_a_distributions_is_not_judged() {
        let of = |role, text: &str| check(&Node::of(role, &Settings::parse(text).unwrap()), &Settings::parse(text).unwrap(), None);
        assert_eq!(of(Role::Etcd, "").map(|finding| finding.verdict), Some(Warning));
        assert_eq!(of(Role::Etcd, "[tls]\nmode = \"managed\"\n").map(|finding| finding.verdict), Some(Fine));
        assert!(of(Role::ControlPlane, "").is_none() && of(Role::Worker, "").is_none());
    }
}
