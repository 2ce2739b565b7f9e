//! What is checked, by the role of this instance: one table, so no subject asks for the role itself.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use quorate_core::ids::InstanceId;

use crate::adapters::aws::autoscaling::{ROLE_TAG, TagEntry};
use crate::adapters::distribution::{self, Distribution, NodeSpec};
use crate::config::{ServiceSettings, Settings, UNIT};
use quorate_core::role::Role;

use super::finding::Finding;
use super::tags;

/// A port, named by what is served there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// The agents, among themselves.
    Agents,
    /// The API of Kubernetes, by which nodes join too.
    Api,
    /// etcd's clients.
    Clients,
    /// etcd's members, among themselves.
    Members,
}

/// What a role has, and therefore what is checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) role: Role,
    /// What is served on this machine.
    pub(super) serves: &'static [Port],
    /// What has to be reached on its peers.
    pub(super) reaches: &'static [Port],
    /// Which security group has to let which other one in.
    pub(super) whose: [&'static str; 2],
    /// It has an etcd member: data that needs room and a fast disk, and ports that another etcd would take.
    pub(super) member: bool,
    /// It may found a cluster: it has a charter in a store, and asks EC2 by tag which other instances may hold data.
    pub(super) charter: bool,
    /// It tells its group that it is broken.
    pub(super) reports_health: bool,
    /// It waits for its replacement before it leaves.
    pub(super) awaits_replacement: bool,
    /// Its policy, below [`super::permissions::POLICIES`].
    pub(super) policy: &'static str,
    /// What its group must have so that its instances may act on it.
    pub(super) acts_on: &'static str,
}

const ETCD: Parts = Parts {
    role: Role::Etcd,
    serves: &[Port::Agents, Port::Clients, Port::Members],
    reaches: &[Port::Agents, Port::Clients, Port::Members],
    whose: ["the members'", "itself"],
    member: true,
    charter: true,
    reports_health: true,
    awaits_replacement: true,
    policy: "member.json",
    acts_on: "the tag quorate:cluster",
};

const CONTROL_PLANE: Parts = Parts {
    role: Role::ControlPlane,
    serves: &[Port::Agents, Port::Api, Port::Clients, Port::Members],
    reaches: &[Port::Agents, Port::Api, Port::Clients, Port::Members],
    whose: ["the servers'", "itself"],
    ..ETCD
};

const WORKER: Parts = Parts {
    role: Role::Worker,
    serves: &[Port::Agents],
    reaches: &[Port::Agents, Port::Api],
    whose: ["the workers'", "the servers'"],
    member: false,
    charter: false,
    reports_health: false,
    awaits_replacement: false,
    policy: "worker.json",
    acts_on: "the tags quorate:cluster and quorate:role = worker",
};

impl Parts {
    pub(super) const fn of(role: Role) -> &'static Self {
        match role {
            Role::Etcd => &ETCD,
            Role::ControlPlane => &CONTROL_PLANE,
            Role::Worker => &WORKER,
        }
    }
}

/// This node, with its role.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) parts: &'static Parts,
    /// None for the role etcd.
    pub(super) distribution: Option<Arc<dyn Distribution>>,
    /// The unit that would run the distribution in its other role.
    pub(super) other_unit: Option<&'static str>,
}

impl Node {
    /// The node of this role.
    pub(super) fn of(role: Role, settings: &Settings) -> Self {
        let chosen = |worker| role.has_node().then(|| distribution::chosen(settings, nobody(worker, settings)));
        let (this, other) = (chosen(role == Role::Worker), chosen(role != Role::Worker));
        Self { parts: Parts::of(role), distribution: this, other_unit: other.map(|other| other.unit()) }
    }

    /// The number of a port; none if this role has no such port.
    pub(super) fn number(&self, port: Port, settings: &Settings) -> Option<u16> {
        match port {
            Port::Agents => Some(settings.peer_port),
            Port::Api => self.distribution.as_ref().map(|distribution| distribution.api_port()),
            Port::Clients => Some(2379),
            Port::Members => Some(2380),
        }
    }

    /// The program that runs here, named like its unit; the settings may name another.
    pub(super) fn program(&self) -> &'static str {
        self.distribution.as_ref().map_or("etcd", |distribution| distribution.name())
    }

    /// The systemd unit that runs it, if one does.
    pub(super) fn unit<'a>(&self, service: &'a ServiceSettings) -> Option<&'a str>
    where
        'static: 'a,
    {
        service.unit(self.distribution.as_ref().map_or(UNIT, |distribution| distribution.unit()))
    }
}

/// A spec without an instance: units, files and rules do not depend on it, and nothing is written from this.
fn nobody(worker: bool, settings: &Settings) -> NodeSpec {
    NodeSpec {
        name: InstanceId::new("i-unknown"),
        address: IpAddr::from(Ipv4Addr::UNSPECIFIED),
        worker,
        zone: String::new(),
        founding_address: settings.etcd.founding_address,
    }
}

/// The role, and where it was found. The configuration takes precedence over the tag, as it does for the agent. If neither names it, a `kubernetes.token_file`
/// shows that it is one of the Kubernetes roles, but not which.
pub(super) fn role(settings: &Settings, tags: Option<&[TagEntry]>) -> (Option<Role>, Finding) {
    let tagged = || Role::parse(tags::value(tags?, ROLE_TAG)?).ok();
    let told = |role: Role, by: &str| (Some(role), Finding::ok("role", format!("{}, {by}", role.as_str())));
    match (settings.cluster.role, tagged()) {
        (Some(role), _) => told(role, "by the configuration"),
        (None, Some(role)) => told(role, "by the group's tag"),
        (None, None) if settings.kubernetes.token_file.is_none() => (
            Some(Role::Etcd),
            Finding::skipped("role", "neither tag nor configuration names it; checked as etcd, because there is no kubernetes.token_file"),
        ),
        (None, None) => {
            let why = "neither tag nor configuration says whether it is control-plane or worker; set cluster.role to check everything";
            (None, Finding::skipped("role", why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "[kubernetes]\ntoken_file = \"/etc/quorate/token\"\n";

    fn settings(file: &str) -> Settings {
        Settings::parse(file).unwrap()
    }

    fn tag(value: &str) -> Vec<TagEntry> {
        vec![TagEntry { key: ROLE_TAG.into(), value: value.into(), propagates: true }]
    }

    #[test]
    fn the_role_is_the_configurations_then_the_tags_and_never_a_guess_among_two() {
        let found = |file: &str, tags: Option<&[TagEntry]>| role(&settings(file), tags).0;
        assert_eq!(found("[cluster]\nrole = \"worker\"\n", Some(&tag("control-plane"))), Some(Role::Worker));
        assert_eq!(found(TOKEN, Some(&tag("control-plane"))), Some(Role::ControlPlane));
        assert_eq!((found("", None), found("", Some(&tag("nonsense")))), (Some(Role::Etcd), Some(Role::Etcd)));
        assert_eq!((found(TOKEN, None), found(TOKEN, Some(&[]))), (None, None));
    }

    #[test]
    fn a_node_has_the_units_and_ports_of_its_role() {
        let of = |role| Node::of(role, &settings(TOKEN));
        let systemd = ServiceSettings::Systemd { unit: None };
        let numbers =
            |node: &Node, ports: &[Port]| ports.iter().filter_map(|port| node.number(*port, &settings(TOKEN))).collect::<Vec<_>>();
        for (role, unit, other, serves, reaches) in [
            (Role::Etcd, UNIT, None, vec![2378, 2379, 2380], vec![2378, 2379, 2380]),
            (Role::ControlPlane, "k3s.service", Some("k3s-agent.service"), vec![2378, 6443, 2379, 2380], vec![2378, 6443, 2379, 2380]),
            (Role::Worker, "k3s-agent.service", Some("k3s.service"), vec![2378], vec![2378, 6443]),
        ] {
            let node = of(role);
            assert_eq!((node.parts.role, node.unit(&systemd), node.other_unit), (role, Some(unit), other));
            assert_eq!((numbers(&node, node.parts.serves), numbers(&node, node.parts.reaches)), (serves, reaches));
        }
    }

    #[test]
    fn a_worker_is_granted_less_and_asked_for_less() {
        let worker = Parts::of(Role::Worker);
        assert!(!worker.member && !worker.charter && !worker.reports_health && !worker.awaits_replacement);
        assert_eq!(worker.policy, "worker.json");
        for role in [Role::Etcd, Role::ControlPlane] {
            let parts = Parts::of(role);
            assert!(parts.member && parts.charter && parts.reports_health && parts.awaits_replacement && parts.policy == "member.json");
        }
    }
}
