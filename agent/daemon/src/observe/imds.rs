//! IMDS, which is local and free: where the group takes this instance, and what EC2 announces.

use std::time::Duration;

use quorate_core::observation::{LifecycleState, Notices, ScheduledEvent, SpotNotice};
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::sources::{Source, Sources};
use quorate_core::time::Timestamp;

use super::last::Last;
use crate::clients::Clients;
use crate::telemetry::chain;

/// What is announced minutes ahead is asked in every cycle; what is announced hours ahead, or is not urgent, once in this many. Each question costs the agent a
/// third of a millisecond, and it runs beside a database.
const CYCLES_WITHOUT_HASTE: u32 = 5;

const NOT_ASKED: &str = "IMDS was not asked yet";

#[derive(Default)]
pub(super) struct ImdsObserver {
    target: Last<Option<LifecycleState>>,
    spot: Last<Option<SpotNotice>>,
    rebalance: Last<Option<Timestamp>>,
    scheduled: Last<Vec<ScheduledEvent>>,
}

impl ImdsObserver {
    /// Asks what is due, side by side, and at most once a cycle, even while steps follow each other quickly.
    pub(super) async fn look(&mut self, clients: &Clients, policy: &Policy, now: Timestamp) {
        let imds = &clients.imds;
        let leisure = policy.cycle * CYCLES_WITHOUT_HASTE;
        tokio::join!(
            ask(&mut self.target, imds.target_lifecycle_state(), policy.cycle, now),
            ask(&mut self.spot, imds.spot_notice(), policy.cycle, now),
            ask(&mut self.rebalance, imds.rebalance_recommendation(), leisure, now),
            ask(&mut self.scheduled, imds.scheduled_events(), leisure, now),
        );
    }

    /// Reports the results of this look's questions.
    pub(super) fn tell(&self, sources: &mut Sources, now: Timestamp) {
        let tried = [
            ("target", self.target.tried(now)),
            ("spot", self.spot.tried(now)),
            ("rebalance", self.rebalance.tried(now)),
            ("scheduled", self.scheduled.tried(now)),
        ];
        for (question, result) in tried {
            result.into_iter().for_each(|result| sources.note(Source::Imds, question, result, now));
        }
    }

    pub(super) fn target(&self, policy: &Policy, now: Timestamp) -> Reading<Option<LifecycleState>> {
        self.target.reading(now, policy.stale_after, NOT_ASKED)
    }

    pub(super) fn notices(&self, policy: &Policy, now: Timestamp) -> Notices {
        let leisure = policy.stale_after * CYCLES_WITHOUT_HASTE;
        Notices {
            spot: self.spot.reading(now, policy.stale_after, NOT_ASKED),
            rebalance: self.rebalance.reading(now, leisure, NOT_ASKED),
            scheduled: self.scheduled.reading(now, leisure, NOT_ASKED),
        }
    }
}

async fn ask<T: Clone, E: std::error::Error>(
    last: &mut Last<T>,
    question: impl Future<Output = Result<T, E>>,
    pause: Duration,
    now: Timestamp,
) {
    if last.is_due(now, pause) {
        last.take(question.await.map_err(|error| chain(&error)), now);
    }
}
