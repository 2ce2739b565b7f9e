//! The first try to take the instance out of each target group, before all else.

use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{departing, targets};

/// The first try at each group.
pub(in crate::planner) fn deregister(s: &Situation<'_>) -> Option<Decision> {
    let departure = s.departure()?;
    let reserve = departing::reserve(s);
    targets::untaken(s, &departure, reserve).find(|(_, tried)| tried.is_none()).map(|(group, _)| targets::act(&departure, group))
}
