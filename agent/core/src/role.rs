//! What the instances of a group are for, and what follows from that for the addresses of their etcd.

use std::net::IpAddr;

use crate::member_url::{MemberUrl, Scheme};
use crate::transport::Transport;

/// The port at which etcd's members reach each other.
pub const PEER_PORT: u16 = 2380;

/// What the instances of a group are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Members of an etcd cluster.
    Etcd,
    /// Servers of a Kubernetes control plane, with their distribution's embedded etcd.
    ControlPlane,
    /// Kubernetes workers.
    Worker,
}

/// How the instances of one role differ from those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// An etcd member runs here.
    pub has_member: bool,
    /// The agent itself adds, starts and removes the member, and chooses its version, flags, ports and peer URL.
    pub runs_etcd: bool,
    /// A distribution adds its own member as it starts, without looking at the others, so a voter's agent admits it first.
    pub is_let_in: bool,
    /// It has a Kubernetes Node.
    pub has_node: bool,
}

const ROLE: &str = "use etcd, control-plane or worker";

impl Role {
    /// The value of the tag `quorate:role`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
        }
    }

    /// Parses the tag's value.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        [Self::Etcd, Self::ControlPlane, Self::Worker].into_iter().find(|role| role.as_str() == text).ok_or(ROLE)
    }

    /// How its instances differ from those of another role.
    #[must_use]
    pub fn ways(self) -> &'static Ways {
        match self {
            Self::Etcd => &Ways { has_member: true, runs_etcd: true, is_let_in: false, has_node: false },
            Self::ControlPlane => &Ways { has_member: true, runs_etcd: false, is_let_in: true, has_node: true },
            Self::Worker => &Ways { has_member: false, runs_etcd: false, is_let_in: false, has_node: true },
        }
    }

    /// Its instances have a Kubernetes Node.
    #[must_use]
    pub fn has_node(self) -> bool {
        self.ways().has_node
    }

    /// The role of the groups whose instances it asks about the cluster: a worker asks the servers.
    #[must_use]
    pub fn of_peers(self) -> Self {
        match self {
            Self::Etcd => Self::Etcd,
            Self::ControlPlane | Self::Worker => Self::ControlPlane,
        }
    }

    /// The peer URL of the etcd member at `address`. A distribution's etcd always speaks TLS, and Quorate's own as the cluster's charter has it.
    #[must_use]
    pub fn peer_url(self, address: IpAddr, transport: Transport) -> MemberUrl {
        MemberUrl::new(self.scheme(transport), address, PEER_PORT)
    }

    /// The client URL of the etcd member at `address`, likewise.
    #[must_use]
    pub fn client_url(self, address: IpAddr, transport: Transport) -> MemberUrl {
        MemberUrl::new(self.scheme(transport), address, 2379)
    }

    fn scheme(self, transport: Transport) -> Scheme {
        if self.has_node() { Scheme::Https } else { transport.scheme() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_reads_back_as_it_is_written() {
        for role in [Role::Etcd, Role::ControlPlane, Role::Worker] {
            assert_eq!(Role::parse(role.as_str()), Ok(role));
        }
    }

    #[test]
    fn an_unknown_role_is_refused_with_the_known_ones() {
        for text in ["", "Etcd", "etcd ", "controlplane", "server"] {
            assert!(Role::parse(text).is_err(), "{text:?}");
        }
    }
}
