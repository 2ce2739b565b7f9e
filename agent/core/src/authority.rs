//! The authority that signs a cluster's certificates: a Kubernetes cluster's, as a worker's join pins it, and that of Quorate's own etcd.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::agent_key::hex;

/// SHA-256 of the authority's certificate, for Kubernetes as k3s writes it into its tokens: `K10<hash>::...`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AuthorityHash([u8; 32]);

impl AuthorityHash {
    /// The hash with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for AuthorityHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AuthorityHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hash of an authority is 64 lower-case hexadecimal digits")]
pub struct NotAHash;

impl FromStr for AuthorityHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        hex(text).map(Self).ok_or(NotAHash)
    }
}

impl From<AuthorityHash> for String {
    fn from(hash: AuthorityHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for AuthorityHash {
    type Error = NotAHash;

    fn try_from(text: String) -> Result<Self, NotAHash> {
        text.parse()
    }
}

/// How a worker knows that a server is this cluster's, before it gives it its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Its token names the authority, and nothing contradicts it.
    ByToken,
    /// The store names it.
    ByStore(AuthorityHash),
    /// Neither does: any answer from a server's address is believed.
    ByNobody,
    /// They name different ones.
    Disputed {
        /// The token's.
        token: AuthorityHash,
        /// The store's.
        store: AuthorityHash,
    },
}

impl Pin {
    /// The pin that follows from the two, each of which may name an authority.
    #[must_use]
    pub fn of(token: Option<AuthorityHash>, store: Option<AuthorityHash>) -> Self {
        match (token, store) {
            (Some(token), Some(store)) if token != store => Self::Disputed { token, store },
            (Some(_), _) => Self::ByToken,
            (None, Some(store)) => Self::ByStore(store),
            (None, None) => Self::ByNobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_pinned_by_what_names_an_authority_and_by_nothing_that_is_disputed() {
        let hash = |digit: &str| digit.repeat(64).parse::<AuthorityHash>().unwrap();
        let (a, b) = (hash("a"), hash("b"));
        assert_eq!(Pin::of(None, Some(a)), Pin::ByStore(a));
        assert_eq!((Pin::of(Some(a), None), Pin::of(Some(a), Some(a))), (Pin::ByToken, Pin::ByToken));
        assert_eq!(Pin::of(None, None), Pin::ByNobody);
        assert_eq!(Pin::of(Some(a), Some(b)), Pin::Disputed { token: a, store: b });
        assert!(serde_json::from_str::<AuthorityHash>("\"abc\"").is_err());
        assert_eq!(serde_json::from_str::<AuthorityHash>(&serde_json::to_string(&a).unwrap()).unwrap(), a);
    }
}
