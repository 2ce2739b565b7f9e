//! What a worker asks of AWS: next to nothing. A fleet of a thousand must not empty the token bucket that the servers need.

use std::time::Duration;

use crate::planner;
use crate::situation::Situation;
use crate::time::Timestamp;

use super::{Query, awaits_own_state, jittered, slackened};

/// The questions of a worker. It looks for servers only while no known one answers; its own place and hooks matter at its launch and when it is to leave.
pub(super) fn due(s: &Situation<'_>) -> Vec<Query> {
    let asked = &s.memory.asked;
    let is_due = |asked: Option<Timestamp>, every: Duration| asked.is_none_or(|at| s.now.since(at) >= every);
    let hurried = slackened(s, s.policy.aws_hurry);
    let mut queries = Vec::new();
    if planner::lacks_server(s) {
        if is_due(asked.groups, hurried) {
            queries.push(Query::Groups);
        }
        let listed = s.seen.cloud.listed.last().into_iter().flat_map(|l| l.keys().cloned());
        let unknown: Vec<_> = listed.filter(|id| s.memory.kept.seen.get(id).is_none_or(|seen| seen.address.is_none())).collect();
        if !unknown.is_empty() && is_due(asked.instances, hurried) {
            queries.push(Query::Instances(unknown));
        }
    }
    if s.seen.cloud.hooks.last().is_none() && is_due(asked.hooks, jittered(s, hurried)) {
        queries.push(Query::Hooks);
    }
    let notice = s.memory.leaving_since().is_some_and(|since| asked.own_state.is_none_or(|at| at < since));
    if awaits_own_state(s) && (is_due(asked.own_state, hurried) || notice) {
        queries.push(Query::OwnState);
    }
    queries
}
