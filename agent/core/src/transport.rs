//! How the cluster's etcd is reached.

use serde::{Deserialize, Serialize};

use crate::member_url::Scheme;

/// How the members of Quorate's own etcd talk to each other and to their clients. The charter keeps it, so a cluster never has members of both kinds by accident.
/// A distribution's etcd always speaks TLS, with certificates of its own, and this is not asked there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Plain HTTP: whoever reaches the ports owns the cluster.
    #[default]
    Plain,
    /// Mutual TLS, with certificates of the cluster's own authority.
    Tls,
}

impl Transport {
    /// It is not TLS; records leave it out then, as they did before there was a choice.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// The scheme of its URLs.
    #[must_use]
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Plain => Scheme::Http,
            Self::Tls => Scheme::Https,
        }
    }
}
