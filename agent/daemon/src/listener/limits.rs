//! How much of an agent's resources strangers may use.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::Kind;

/// Connections of one listener that one address may have: a load balancer's checkers, and what a restarted peer's agent leaves behind, take a few.
const OF_ONE: usize = 16;
/// A listener accepts at least this many connections, whatever the process's limit on descriptors: with fewer it would be of no use.
const FEWEST: usize = 3;
/// Assumed if the limit is unlimited; also systemd's default for a service.
const USUAL: u64 = 1024;

/// The head of a request; `hyper` takes no smaller buffer. An agent's question has about 200 bytes.
pub(super) const HEAD_BYTES: usize = 8 << 10;
/// Fields of a head. A browser sends 15.
pub(super) const FIELDS: usize = 32;
/// The body of a request: an operator's order has about 200 bytes.
pub(super) const BODY_BYTES: usize = 16 << 10;
/// Connections that the kernel keeps until they are accepted. `quorate.socket` has the same in `Backlog=`.
pub(super) const BACKLOG: u32 = 128;

/// How long a connection may stay in each state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until the head of a request is complete.
    pub(super) head: Duration,
    /// Until a request is answered, including reading its body. An order waits for the end of a cycle.
    pub(super) answer: Duration,
    /// Without another request, or with an answer that the client does not read. Longer than an agent keeps an unused one (30 s).
    pub(super) idle: Duration,
}

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time.
    pub(super) most: usize,
    /// Of them, from one address.
    pub(super) most_of_one: usize,
    pub(super) patience: Patience,
}

impl Patience {
    pub(super) const DEFAULT: Self = Self { head: Duration::from_secs(5), answer: Duration::from_secs(30), idle: Duration::from_secs(60) };
}

impl Limits {
    /// The limits of a listener. All listeners together take at most half of the process's descriptors: the rest is for the loop, which needs them to read the
    /// disk and to ask etcd and AWS.
    pub(super) fn of(kind: Kind, descriptors: usize) -> Self {
        let all: usize = Kind::ALL.into_iter().map(wanted).sum();
        let share = (descriptors / 2).saturating_mul(wanted(kind)) / all;
        Self { most: wanted(kind).min(share).max(FEWEST), most_of_one: OF_ONE, patience: Patience::DEFAULT }
    }
}

/// How many connections a listener accepts if there are plenty of descriptors. Every agent of a cluster keeps one open to every server; metrics are scraped by
/// a few. Each takes about 20 KiB, and all together should take at most 8 MiB (`make bench-idle`).
const fn wanted(kind: Kind) -> usize {
    match kind {
        Kind::Peers => 256,
        Kind::Health => 48,
        Kind::Metrics | Kind::Control => 32,
    }
}

/// How many descriptors this process may have open.
pub(super) fn descriptors() -> usize {
    usize::try_from(getrlimit(Resource::Nofile).current.unwrap_or(USUAL)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(descriptors: usize) -> usize {
        Kind::ALL.into_iter().map(|kind| Limits::of(kind, descriptors).most).sum()
    }

    #[test]
    fn descriptors_stay_in_reserve() {
        for descriptors in [64, 128, 256, 1024, 2048, 1 << 20] {
            assert!(all(descriptors) <= descriptors / 2, "{} of {descriptors}", all(descriptors));
        }
        assert_eq!(all(1024), all(1 << 20), "the usual limit is enough for all wanted connections");
    }

    #[test]
    fn an_idle_peer_is_let_go_by_the_one_that_asks() {
        assert!(Patience::DEFAULT.idle > crate::adapters::peer::client::IDLE);
    }
}
