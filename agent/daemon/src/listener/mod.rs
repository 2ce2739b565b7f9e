//! The agent's listeners: one server for all of them, within limits that no stranger can exceed.
//!
//! An agent has one thread and a limited number of descriptors. Answering strangers (peers before TLS, load balancers, Prometheus) must take neither from the
//! loop: connections are capped in total and per address, and limited in how long they stay in one state (`limits`); a full listener accepts a newcomer in
//! place of the connection that has been idle longest (`table`).
//!
//! A listener is bound here, or taken over from systemd, which holds it while no agent runs (`inherited`).

mod counts;
mod inherited;
mod limits;
mod pulse;
mod server;
mod socket;
mod table;
mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use axum::Router;

pub use counts::Counts;
pub use inherited::Inherited;

use crate::clock::Clock;
use limits::Limits;
use server::Server;
use socket::Socket;
pub use tls::Configuration;
use tls::Tls;

/// Where a request came from, as an extension of it; a local process at a Unix socket has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerAddress(pub IpAddr);

/// The request came over TLS: an extension of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encrypted;

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The other agents.
    Peers,
    /// Load balancers.
    Health,
    /// Prometheus.
    Metrics,
    /// The command line.
    Control,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Peers, Self::Health, Self::Metrics, Self::Control];

    /// Its name in metrics and in the journal.
    const fn name(self) -> &'static str {
        match self {
            Self::Peers => "peers",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Control => "control",
        }
    }
}

/// Makes the listeners of one agent.
#[derive(Debug)]
pub struct Listeners {
    inherited: Inherited,
    descriptors: usize,
    counts: Counts,
    clock: Clock,
}

/// A listener that does not answer yet.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    socket: Socket,
    limits: Limits,
    counts: Counts,
    clock: Clock,
    tls: Option<Tls>,
}

impl Listeners {
    /// No listeners yet; those `inherited` are used where they fit.
    #[must_use]
    pub fn new(inherited: Inherited, counts: Counts, clock: Clock) -> Self {
        Self { inherited, descriptors: limits::descriptors(), counts, clock }
    }

    /// A listener at an address of this machine: systemd's, if it handed one over, or a new one.
    ///
    /// # Errors
    /// The address is not this machine's, or the port is taken.
    pub fn tcp(&mut self, kind: Kind, at: SocketAddr) -> io::Result<Listener> {
        let socket = match self.inherited.take(at) {
            Some(held) => Socket::taken_over(held, at)?,
            None => Socket::bind(at)?,
        };
        Ok(self.listener(kind, socket))
    }

    /// A listener at a path, replacing a stale one, accessible only to its owner.
    ///
    /// # Errors
    /// The socket cannot be made there.
    pub fn unix(&mut self, kind: Kind, path: &Path) -> io::Result<Listener> {
        Ok(self.listener(kind, Socket::at(path)?))
    }

    fn listener(&self, kind: Kind, socket: Socket) -> Listener {
        Listener { kind, socket, limits: Limits::of(kind, self.descriptors), counts: self.counts.clone(), clock: self.clock, tls: None }
    }

    /// What systemd handed over and nothing uses.
    #[must_use]
    pub fn left(&self) -> Vec<SocketAddr> {
        self.inherited.addresses()
    }
}

impl Listener {
    /// The same, answering by TLS whoever begins with it.
    #[must_use]
    pub fn with_tls(self, tls: Configuration) -> Self {
        Self { tls: Some(Tls(tls)), ..self }
    }

    /// Answers with `router`, in a task of its own, until `end`; requests under way are still answered.
    pub fn serve(self, router: Router, end: impl Future<Output = ()> + Send + 'static) {
        Server::new(self, router).start(end);
    }
}
