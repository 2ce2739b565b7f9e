//! What an agent answers its peers after each decision.

use quorate_core::observation::PeerAnswer;
use quorate_core::time::Timestamp;

use super::{Agent, Answer};

impl Agent {
    /// Brings the answer up to date; the record is copied only when it changed.
    pub(crate) fn answer(&self, last: &mut Option<Answer>, now: Timestamp) {
        let Some(report) = &self.report else { return };
        let answer = last.get_or_insert_with(|| Answer { record_version: 0, said: PeerAnswer::before_the_first_look(self.memory()) });
        answer.record_version += u64::from(answer.said.update(&self.seen, self.memory(), report, now));
    }
}
