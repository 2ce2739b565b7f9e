//! The etcd that would be started here: which one it is, and what would keep it from starting, tried without starting anything.

use std::net::SocketAddr;

use crate::etcd_version::{EtcdVersion, StartRefusal};
use crate::reading::Reading;

/// What would be served at a port, and so which starts need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listens {
    /// The other members: every start needs it.
    ToPeers,
    /// Clients, at this instance's own address.
    ToClients,
    /// Clients on loopback, as a founder does until the charter says `established`.
    OnLoopback,
}

/// A port that etcd needs and somebody else has.
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
    /// Its minor release, as the binary itself says: asked again whenever the file is another one.
    pub version: Reading<EtcdVersion>,
    /// It refuses its flags: its own words. Known from `etcd FLAGS --version`, which starts nothing.
    pub flag_refused: Option<String>,
    /// The ports that it needs and that are taken, while it does not run.
    pub ports_taken: Vec<TakenPort>,
    /// Why the last one ended, by its own last words, where they tell.
    pub ended: Option<StartRefusal>,
}

impl Installed {
    /// Nothing is known, and why.
    #[must_use]
    pub fn unknown(why: &'static str) -> Self {
        Self { version: Reading::unknown(why), flag_refused: None, ports_taken: Vec::new(), ended: None }
    }
}
