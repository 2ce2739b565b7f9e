//! A cluster's authority is replaced while its members serve: all trust both, then all show certificates of the new one, then all trust it alone.

use serde::{Deserialize, Serialize};

use crate::authority::AuthorityHash;

/// How far a rotation is, as the charter keeps it beside the authority that certificates come from. Whatever leads carries it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// All members are to trust this one too, which etcd learns by a restart. Certificates do not come from it yet.
    To(AuthorityHash),
    /// Certificates come from the new authority. This one before it is trusted until every member has new ones.
    From(AuthorityHash),
}

impl Rotation {
    /// The authority that is trusted besides the one that certificates come from.
    #[must_use]
    pub fn also(self) -> AuthorityHash {
        match self {
            Self::To(hash) | Self::From(hash) => hash,
        }
    }
}

/// Whose certificates a node shows, and whose it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Where its own come from; it accepts those too.
    pub authority: AuthorityHash,
    /// It also accepts certificates of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<AuthorityHash>,
}

impl Trust {
    /// Whether certificates of this authority are accepted.
    #[must_use]
    pub fn accepts(&self, authority: AuthorityHash) -> bool {
        self.authority == authority || self.also == Some(authority)
    }

    /// Whether all that `other` accepts is accepted.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.accepts(other.authority) && other.also.is_none_or(|also| self.accepts(also))
    }

    /// Whether both accept the same, wherever their own certificates come from.
    #[must_use]
    pub fn accepts_as(&self, other: &Self) -> bool {
        self.covers(other) && other.covers(self)
    }
}

/// Whether a running etcd that was started with `loaded` has to be started again for what the files hold now.
#[must_use]
pub fn reloads(loaded: Option<Trust>, files: Trust) -> bool {
    // What an etcd has loaded is not known after an update of the agent from before there were rotations: then it can only accept one.
    !loaded.unwrap_or(Trust { also: None, ..files }).accepts_as(&files)
}

/// What a member's agent tells of its certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// By its files.
    pub files: Trust,
    /// By what its running etcd has read: etcd reads authorities when it starts, and certificates at each connection.
    pub loaded: Trust,
}
