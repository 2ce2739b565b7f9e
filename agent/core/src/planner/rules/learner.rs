//! The agent beside the leader promotes or removes the learner.

use crate::explain::{duties, removing};
use crate::memory::BackoffKey;
use crate::plan::{LockPurpose, Step};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{admission, change, learner};

/// Promotes the learner once it is ready and a charter record names it.
pub(in crate::planner) fn promote(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let learner = s.membership()?.learner().filter(|l| !admission::awaits_start(s, l) && !l.is_stranger())?;
    if let Err(why) = learner::readiness(s, learner) {
        return Some(Decision::wait(Phase::Voter, duties::does_not_promote(learner, why)).again_in(s.policy.retry / 2));
    }
    if !s.record().is_some_and(|r| r.voters.iter().any(|v| v.member == learner.id)) {
        return Some(Decision::wait(Phase::Voter, duties::charter_does_not_name(learner)));
    }
    if s.memory.waits(BackoffKey::Promote, s.now) {
        return Some(Decision::wait(Phase::Voter, duties::etcd_refused_to_promote(learner)).again_in(s.policy.retry));
    }
    let step = Step::Promote { via: s.via_any()?, member: learner.id };
    Some(Decision::act(Phase::Voter, step, duties::promotes(learner)).under_lock(LockPurpose::Promote))
}

/// Removes a learner that is gone or has made no progress for the patience: it blocks every other join.
pub(in crate::planner) fn stuck_learner(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    // Whether a stranger runs is not known: an operator may mirror the cluster, and is told that it keeps others out.
    let learner = s.membership()?.learner().filter(|l| !l.is_stranger())?;
    let instance = s.instance_of(learner);
    let gone = instance.as_ref().is_some_and(|i| s.is_departed(i));
    let watch = s.memory.quorum.learner.as_ref().filter(|w| w.member == learner.id)?;
    let stuck = s.now.since(watch.progress_at) >= s.policy.learner_patience;
    let message = match (gone, stuck) {
        (true, _) => removing::departed_learner(learner),
        (false, true) => removing::stuck_learner(learner),
        (false, false) => return None,
    };
    Some(change::removal(s, Phase::Voter, learner, message))
}
