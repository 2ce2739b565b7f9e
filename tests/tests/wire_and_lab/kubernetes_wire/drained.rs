//! A whole drain, the end of one pod, and the result: for the double and for a real cluster alike.

use std::time::Duration;

use quorate::adapters::kubernetes::ApiServers;
use quorate::clock::Clock;
use quorate::drain::Drain;
use quorate_core::drain::{Ending, Escalation, Limits, Verdict};
use quorate_core::ids::PodId;
use quorate_core::plan::Outcome;
use serde_json::Value;
use tokio::sync::watch;

const PAUSE: Duration = Duration::from_millis(50);

/// The result of a drain.
pub(crate) struct End {
    pub(crate) verdict: Verdict,
    pub(crate) said: Vec<String>,
    pub(crate) took: Duration,
}

impl End {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.verdict, Verdict::Done { .. })
    }
}

/// Drains a node within this budget.
pub(crate) async fn drain(adapter: &ApiServers, node: &str, budget: Duration, escalation: Escalation) -> End {
    let clock = Clock::start();
    let began = clock.now();
    let limits = Limits {
        end: began + budget,
        retry: Duration::from_millis(300),
        batch: 100,
        patience_without_api: Duration::from_secs(2),
        escalation,
    };
    let mut said = Vec::new();
    let verdict = Drain::new(node, watch::channel(limits).1, clock).run(adapter, PAUSE, |message| said.push(message.to_owned())).await;
    End { verdict, said, took: clock.now().since(began) }
}

/// The end of the pod with this name and uid.
pub(crate) fn ending(name: &str, uid: &str, grace: Option<u64>) -> Ending {
    let pod = PodId { namespace: "default".into(), name: name.into(), uid: uid.into() };
    Ending { pod, grace: grace.map(Duration::from_secs) }
}

pub(crate) fn is_being_deleted(pod: &Value) -> bool {
    pod["metadata"].get("deletionTimestamp").is_some()
}

/// What the API server said to it.
pub(crate) fn refused(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(why) => why,
        other => panic!("it was not refused: {other:?}"),
    }
}
