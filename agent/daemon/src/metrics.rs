//! Prometheus metrics: counters of what the loop did, and gauges read from the last cycle on request.
//!
//! The names are listed, with alert rules and a dashboard, in `packaging/prometheus`.

mod gauges;

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use quorate_core::plan::{Outcome, Step};

use crate::cycle::LastCycle;
use crate::listener::Counts;
use gauges::Gauges;

/// The content type of what [`Metrics::text`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds, in seconds, of the time that one look takes: 5 ms on a quiet machine, seconds with silent peers.
const LOOK_BUCKETS: [f64; 8] = [0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0];

/// All metrics of one agent.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    steps: Family<StepLabels, Counter>,
    refused: Counter,
    looks: Histogram,
    connections: Counts,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
    outcome: &'static str,
}

impl Metrics {
    /// Nothing counted yet; gauges will be read from `cycles`.
    #[must_use]
    pub fn new(cycles: LastCycle) -> Self {
        let mut registry = Registry::with_prefix("quorate");
        let (steps, refused, looks) = (Family::default(), Counter::default(), Histogram::new(LOOK_BUCKETS));
        registry.register("steps", "Steps taken, by kind and by what came of them: done, refused or unclear", steps.clone());
        registry.register("steps_refused_by_gate", "Steps that the safety gate did not let through", refused.clone());
        registry.register_with_unit("look", "How long one look at the world took", Unit::Seconds, looks.clone());
        let connections = Counts::registered(&mut registry);
        registry.register_collector(Box::new(Gauges::new(cycles)));
        Self { registry, steps, refused, looks, connections }
    }

    /// A step was taken.
    pub fn stepped(&self, step: &Step, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Done => "done",
            Outcome::Refused(_) | Outcome::NotOpen(_) => "refused",
            Outcome::Unclear(_) => "unclear",
        };
        self.steps.get_or_create(&StepLabels { step: step.kind(), outcome }).inc();
    }

    /// The gate refused a step.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// One look took this long.
    pub fn looked(&self, took: Duration) {
        self.looks.observe(took.as_secs_f64());
    }

    /// What the listeners count.
    #[must_use]
    pub fn connections(&self) -> Counts {
        self.connections.clone()
    }

    /// Everything, in the OpenMetrics text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        text::encode(&mut text, &self.registry).unwrap_or_default();
        text
    }
}
