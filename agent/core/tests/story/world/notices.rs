//! What IMDS says of the node's future in a story, besides its target state.

use std::sync::Arc;

use quorate_core::observation::{EventCode, EventState, Notices, ScheduledEvent, SpotAction, SpotNotice};
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use crate::story::words::Words;

#[derive(Clone, Debug, Default)]
pub(crate) struct NoticesWorld {
    spot: Option<SpotNotice>,
    rebalance: Option<Timestamp>,
    scheduled: Vec<ScheduledEvent>,
    silent: bool,
}

impl NoticesWorld {
    pub(crate) fn set(&mut self, verb: &str, words: &Words<'_>, now: Timestamp) {
        let none = words.nth(0) == "none";
        match verb {
            "spot" => self.spot = (!none).then(|| spot(words, now)),
            "rebalance" => self.rebalance = (!none).then_some(now),
            "imds" => self.silent = words.nth(0) == "silent",
            _ if none => self.scheduled.clear(),
            _ => self.schedule(words, now),
        }
    }

    /// An event of the same code is the same event, which keeps its time unless another is given.
    fn schedule(&mut self, words: &Words<'_>, now: Timestamp) {
        let code = EventCode::parse(words.nth(0));
        let known = self.scheduled.iter().position(|e| e.code == code).map(|at| self.scheduled.remove(at));
        let at = words.after("in").map(|word| now + words.duration(word)).or(known.map(|e| e.not_before));
        let not_before = at.unwrap_or_else(|| words.fail("an event begins `in` some time"));
        let state = ["completed", "canceled"].into_iter().find(|state| words.has(state)).unwrap_or("active");
        let event = ScheduledEvent {
            id: Arc::from("instance-event-1"),
            code,
            state: EventState::parse(state),
            not_before,
            not_after: None,
            not_before_deadline: None,
        };
        self.scheduled.push(event);
    }

    pub(crate) fn are_heard(&self) -> bool {
        !self.silent
    }

    pub(crate) fn observe(&self, now: Timestamp) -> Notices {
        Notices {
            spot: self.reading(self.spot, now),
            rebalance: self.reading(self.rebalance, now),
            scheduled: self.reading(self.scheduled.clone(), now),
        }
    }

    fn reading<T>(&self, value: T, now: Timestamp) -> Reading<T> {
        if self.silent { Reading::Stale(value, now - std::time::Duration::from_secs(60)) } else { Reading::Fresh(value, now) }
    }
}

fn spot(words: &Words<'_>, now: Timestamp) -> SpotNotice {
    let action = SpotAction::parse(words.nth(0));
    let at = words.after("in").unwrap_or_else(|| words.fail("a spot notice is `in` some time"));
    SpotNotice { action, at: now + words.duration(at) }
}
