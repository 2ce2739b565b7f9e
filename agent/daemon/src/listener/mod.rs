//! The agent's listeners: one server for all of them, within limits that no stranger can make it exceed.
//!
//! An agent has one thread and so many descriptors. What it answers strangers (peers before TLS, load balancers, Prometheus) must take neither from the
//! loop: connections are capped, in all and for each address, and only so long at the same thing (`limits`); a full listener lets a newcomer in for the
//! connection that has been idle longest (`table`).
//!
//! A listener is bound here, or taken over from systemd, which keeps it while no agent runs (`inherited`).

mod counts;
mod inherited;
mod limits;
mod pulse;
mod server;
mod socket;
mod table;

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

/// Where a request came from, as an extension of it; a local process at a Unix socket has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerAddress(pub IpAddr);

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

    /// In metrics and in the journal.
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
}

impl Listeners {
    /// None yet; what was `inherited` is taken where it fits.
    #[must_use]
    pub fn new(inherited: Inherited, counts: Counts, clock: Clock) -> Self {
        Self { inherited, descriptors: limits::descriptors(), counts, clock }
    }

    /// At an address of this machine: systemd's listener, if it has handed one over for it, or a new one.
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

    /// At a path, replacing a stale one, for its owner alone.
    ///
    /// # Errors
    /// The socket cannot be made there.
    pub fn unix(&mut self, kind: Kind, path: &Path) -> io::Result<Listener> {
        Ok(self.listener(kind, Socket::at(path)?))
    }

    fn listener(&self, kind: Kind, socket: Socket) -> Listener {
        Listener { kind, socket, limits: Limits::of(kind, self.descriptors), counts: self.counts.clone(), clock: self.clock }
    }

    /// What systemd has handed over and nothing listens at.
    #[must_use]
    pub fn left(&self) -> Vec<SocketAddr> {
        self.inherited.addresses()
    }
}

impl Listener {
    /// Answers with `router`, in a task of its own, until `end`; what is under way then is still answered.
    pub fn serve(self, router: Router, end: impl Future<Output = ()> + Send + 'static) {
        Server::new(self, router).start(end);
    }
}
