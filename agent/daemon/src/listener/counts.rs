//! What happened to connections, for `/metrics`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Kind;

/// Counters of all listeners. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    accepted: Family<Of, Counter>,
    refused: Family<Why, Counter>,
    closed: Family<Why, Counter>,
    failed: Family<Of, Counter>,
    open: Family<Of, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    listener: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    listener: &'static str,
    reason: &'static str,
}

/// Why a newcomer was not accepted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    /// All connections are being answered.
    Full,
    /// It came to an address that is not served.
    Elsewhere,
}

/// Why a connection was closed from this side.
#[derive(Clone, Copy, Debug)]
pub(super) enum Closed {
    /// To make room for a newcomer.
    Crowded,
    /// The head of a request was not complete in time.
    Slow,
    /// The answer was not ready in time.
    Late,
    /// No other request came.
    Idle,
}

impl Counts {
    /// The same counters, registered with all other metrics.
    #[must_use]
    pub fn registered(registry: &mut Registry) -> Self {
        let counts = Self::default();
        registry.register("connections_accepted", "Connections let in, by listener", counts.accepted.clone());
        registry.register("connections_refused", "Connections closed at once, by listener and reason", counts.refused.clone());
        registry.register("connections_closed", "Connections closed from this side, by listener and reason", counts.closed.clone());
        registry.register("connections_failed", "Connections that could not be accepted, by listener", counts.failed.clone());
        registry.register("connections_open", "Connections at present, by listener", counts.open.clone());
        counts
    }

    pub(super) fn accepted(&self, kind: Kind) {
        self.accepted.get_or_create(&of(kind)).inc();
    }

    pub(super) fn refused(&self, kind: Kind, why: Refused) {
        let reason = match why {
            Refused::Full => "full",
            Refused::Elsewhere => "elsewhere",
        };
        self.refused.get_or_create(&Why { listener: kind.name(), reason }).inc();
    }

    pub(super) fn closed(&self, kind: Kind, why: Closed) {
        let reason = match why {
            Closed::Crowded => "crowded",
            Closed::Slow => "slow",
            Closed::Late => "late",
            Closed::Idle => "idle",
        };
        self.closed.get_or_create(&Why { listener: kind.name(), reason }).inc();
    }

    pub(super) fn failed(&self, kind: Kind) {
        self.failed.get_or_create(&of(kind)).inc();
    }

    pub(super) fn open(&self, kind: Kind, number: usize) {
        self.open.get_or_create(&of(kind)).set(i64::try_from(number).unwrap_or(i64::MAX));
    }
}

fn of(kind: Kind) -> Of {
    Of { listener: kind.name() }
}
