//! The etcd that would be started here: its version, and what would keep it from starting, found out without starting anything.

use std::net::SocketAddr;

use crate::etcd_version::{EtcdVersion, StartRefusal};
use crate::reading::Reading;

/// What would be served at a port, which decides the starts that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listens {
    /// The other members: every start needs it.
    ToPeers,
    /// Clients, at this instance's own address.
    ToClients,
    /// Clients on loopback, as a founder does until the charter says `established`.
    OnLoopback,
}

/// A port that etcd needs and another process has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenPort {
    /// Where.
    pub at: SocketAddr,
    /// What etcd would serve there.
    pub listens: Listens,
    /// The process that has it, where that can be seen.
    pub by: Option<String>,
}

/// The etcd that would be started here, with the flags that it would be given.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Its minor release, as the binary itself says: asked again whenever the file changes.
    pub version: Reading<EtcdVersion>,
    /// Its own words if it refuses its flags. Known from `etcd FLAGS --version`, which starts nothing.
    pub flag_refused: Option<String>,
    /// The ports that it needs and that are taken, while it does not run.
    pub ports_taken: Vec<TakenPort>,
    /// Why the last etcd ended, by its own last words, where they say.
    pub ended: Option<StartRefusal>,
}

impl Installed {
    /// Nothing is known, and why.
    #[must_use]
    pub fn unknown(why: &'static str) -> Self {
        Self { version: Reading::unknown(why), flag_refused: None, ports_taken: Vec::new(), ended: None }
    }
}
