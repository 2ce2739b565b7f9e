//! The learner: watched, promoted or removed by the agent beside the leader.

use crate::memory::{BackoffKey, LearnerWatch};
use crate::observation::Member;
use crate::plan::Step;
use crate::quorum;
use crate::report::Phase;
use crate::situation::Situation;
use crate::time::Timestamp;

use super::admission;
use super::decision::Decision;
use super::prune::removal;

/// Promotes the learner that is ready, and that a charter record names already.
pub(super) fn promote(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let learner = s.membership()?.learner().filter(|l| !admission::awaits_start(s, l))?;
    if let Err(why) = readiness(s, learner) {
        return Some(Decision::wait(Phase::Voter, format!("does not promote learner {learner} yet: {why}")).again_in(s.policy.retry / 2));
    }
    if !s.record().is_some_and(|r| r.voters.iter().any(|v| v.member == learner.id)) {
        return Some(Decision::wait(Phase::Voter, format!("does not promote learner {learner} yet: the charter does not name it")));
    }
    if s.memory.waits(BackoffKey::Promote, s.now) {
        return Some(Decision::wait(Phase::Voter, format!("etcd refused to promote {learner} a moment ago")).again_in(s.policy.retry));
    }
    let step = Step::Promote { via: s.via_any()?, member: learner.id };
    Some(Decision::act(Phase::Voter, step, format!("promotes learner {learner}")).under_lock("promote a learner"))
}

/// The learner, if every condition for its promotion holds now.
pub(super) fn ready_learner<'a>(s: &Situation<'a>) -> Option<&'a Member> {
    s.membership()?.learner().filter(|l| readiness(s, l).is_ok())
}

/// Why the agent beside the leader does not promote it yet, for who waits for it.
pub(super) fn unready(s: &Situation<'_>, learner: &Member) -> Option<&'static str> {
    readiness(s, learner).err().filter(|_| s.leads())
}

fn readiness(s: &Situation<'_>, learner: &Member) -> Result<(), &'static str> {
    let membership = s.membership().ok_or("the membership is not known")?;
    let instance = s.instance_of(learner).filter(|_| learner.name.is_some()).ok_or("it has not started")?;
    let caught_up = s.memory.quorum.learner.as_ref().filter(|w| w.member == learner.id).map_or(0, |w| w.caught_up);
    if !s.is_healthy(learner.id) {
        return Err("it does not answer");
    }
    if caught_up < s.policy.caught_up_readings {
        return Err("it is not caught up for long enough");
    }
    let answer = s.peer(&instance).ok_or("its agent does not answer")?;
    if answer.leaving || s.is_on_its_way_out(&instance) {
        return Err("its instance is leaving");
    }
    if s.departed_voter().is_some() {
        return Err("a departed voter must be removed first");
    }
    let voters = membership.voters().count();
    let healthy = membership.voters().filter(|m| s.is_healthy(m.id)).count();
    if !quorum::has_quorum(voters + 1, healthy + 1) {
        return Err("the healthy voters and it would be no quorum");
    }
    Ok(())
}

/// Removes a learner that is gone or has made no progress for the patience: it blocks every other join.
pub(super) fn stuck_learner(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let learner = s.membership()?.learner()?;
    let instance = s.instance_of(learner);
    let gone = instance.as_ref().is_some_and(|i| s.is_departed(i));
    let watch = s.memory.quorum.learner.as_ref().filter(|w| w.member == learner.id)?;
    let stuck = s.now.since(watch.progress_at) >= s.policy.learner_patience;
    let why = match (gone, stuck) {
        (true, _) => "its instance has departed",
        (false, true) => "it has made no progress",
        (false, false) => return None,
    };
    Some(removal(s, Phase::Voter, learner, format!("removes learner {learner}: {why}")))
}

/// The learner's progress as the agent beside the leader counts it; asked by [`crate::memory::Memory::absorb`].
pub(crate) fn watched_learner(s: &Situation<'_>) -> Option<LearnerWatch> {
    let membership = s.membership()?;
    let learner = membership.learner()?;
    let before = s.memory.quorum.learner.as_ref().filter(|w| w.member == learner.id);
    let fresh_watch =
        || LearnerWatch { member: learner.id, applied: 0, progress_at: s.now, caught_up: 0, counted_at: Timestamp::default() };
    let mut watch = before.cloned().unwrap_or_else(fresh_watch);
    let Some(reading) = s.seen.etcd.statuses.get(&learner.id) else { return Some(watch) };
    let (Some(status), Some(at)) = (reading.fresh(), reading.at()) else {
        watch.caught_up = 0;
        return Some(watch);
    };
    if at <= watch.counted_at {
        return Some(watch);
    }
    watch.counted_at = at;
    if status.applied > watch.applied {
        watch.applied = status.applied;
        watch.progress_at = s.now;
    }
    let leader = membership.leader.and_then(|l| s.status(l)).map(|l| l.index);
    let near = leader.is_some_and(|index| index.saturating_sub(status.applied) <= s.policy.caught_up_lag);
    watch.caught_up = if near { watch.caught_up + 1 } else { 0 };
    // A learner that is near but whose agent is dead is never promoted: it must not block the others for ever.
    if near && s.instance_of(learner).is_some_and(|i| s.peer(&i).is_some()) {
        watch.progress_at = s.now;
    }
    Some(watch)
}
