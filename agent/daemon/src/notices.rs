//! Reports EC2's announcements in the journal, once each. What the agent does about them is in its reports.

use std::collections::BTreeMap;

use quorate_core::observation::{EventState, LifecycleState, Observation};
use tracing::{info, warn};

use crate::messages;

/// What was reported already, each notice with its message id.
#[derive(Default)]
pub struct NoticeLog {
    told: BTreeMap<String, &'static str>,
}

impl NoticeLog {
    /// Reports what is new, and what is over. What could not be read is neither.
    pub fn tell(&mut self, seen: &Observation) {
        let now = standing(seen);
        for (notice, message_id) in now.iter().filter(|(notice, _)| !self.told.contains_key(*notice)) {
            warn!(message_id = *message_id, quorate.reason = notice.as_str(), "notice: {notice}");
        }
        for notice in self.told.keys().filter(|notice| !now.contains_key(*notice)) {
            info!("notice withdrawn or over: {notice}");
        }
        self.told = now;
    }
}

/// What IMDS last said, whether it has answered since or not.
fn standing(seen: &Observation) -> BTreeMap<String, &'static str> {
    let spot = seen.notices.spot.last().into_iter().flatten().map(|spot| (spot.to_string(), messages::SPOT_NOTICE));
    let rebalance = seen.notices.rebalance.last().into_iter().flatten();
    let rebalance = rebalance.map(|at| format!("EC2 recommended at {} to rebalance this spot instance", at.utc()));
    let events = seen.notices.scheduled.last().into_iter().flatten().filter(|event| event.state == EventState::Active);
    let standby = matches!(seen.target.last(), Some(Some(LifecycleState::Standby)));
    let standby = standby.then(|| "its group has put this instance into standby".to_owned());
    let others = rebalance.chain(events.map(|event| format!("EC2 schedules {event}"))).chain(standby);
    spot.chain(others.map(|notice| (notice, messages::NOTICE_RECEIVED))).collect()
}
