//! The cluster's certificates: the authority that is kept in the store, what a node issues to itself from it, and the files in which it keeps that.
//!
//! The authority has one certificate for each kind of port: peers, clients and agents. A root, whose key nobody keeps, signed the three. Each port trusts only its
//! own, so a client's certificate opens no peer's port. Clients that know only the root can still check a server, because a server shows its authority's
//! certificate too.
//!
//! Keys are made on the node that uses them, and never leave it; those of the authority are in the store, for whoever may read it there.

mod agents;
mod authority;
mod client;
mod error;
mod files;
mod leaf;

pub use agents::AgentPort;
pub(crate) use agents::names;
pub use authority::{Authority, AuthorityDocument};
pub use client::{ClientRequest, own_request, validity_of};
pub use error::PkiError;
pub use files::{EtcdFiles, OwnFiles};
pub use leaf::{Issued, Subject, Validity};
