//! The learner: its progress, and whether it may be promoted.

use crate::explain::duties::Unready;
use crate::memory::LearnerWatch;
use crate::observation::Member;
use crate::quorum;
use crate::situation::Situation;
use crate::time::Timestamp;

/// The learner, if every condition for its promotion holds now.
pub(in crate::planner) fn ready_learner<'a>(s: &Situation<'a>) -> Option<&'a Member> {
    s.membership()?.learner().filter(|l| readiness(s, l).is_ok())
}

/// Why the agent beside the leader does not promote it yet, for the rules that wait for it.
pub(in crate::planner) fn unready(s: &Situation<'_>, learner: &Member) -> Option<Unready> {
    readiness(s, learner).err().filter(|_| s.leads())
}

pub(in crate::planner) fn readiness(s: &Situation<'_>, learner: &Member) -> Result<(), Unready> {
    let membership = s.membership().ok_or(Unready::MembershipUnknown)?;
    let instance = s.instance_of(learner).filter(|_| learner.name.is_some()).ok_or(Unready::NotStarted)?;
    let caught_up = s.memory.quorum.learner.as_ref().filter(|w| w.member == learner.id).map_or(0, |w| w.caught_up);
    if !s.is_healthy(learner.id) {
        return Err(Unready::Silent);
    }
    if caught_up < s.policy.caught_up_readings {
        return Err(Unready::Behind);
    }
    let answer = s.peer(&instance).ok_or(Unready::AgentSilent)?;
    if answer.leaving || s.is_on_its_way_out(&instance) {
        return Err(Unready::Leaving);
    }
    if s.departed_voter().is_some() {
        return Err(Unready::DepartedVoter);
    }
    let voters = membership.voters().count();
    let healthy = membership.voters().filter(|m| s.is_healthy(m.id)).count();
    if !quorum::has_quorum(voters + 1, healthy + 1) {
        return Err(Unready::NoQuorumWithIt);
    }
    Ok(())
}

/// The learner's progress as the agent beside the leader counts it; asked by [`crate::tracker::absorb`].
pub(crate) fn watched_learner(s: &Situation<'_>) -> Option<LearnerWatch> {
    let membership = s.membership()?;
    let learner = membership.learner()?;
    let before = s.memory.quorum.learner.as_ref().filter(|w| w.member == learner.id);
    let fresh_watch = || LearnerWatch {
        member: learner.id,
        least_lag: u64::MAX,
        received: 0,
        progress_at: s.now,
        caught_up: 0,
        counted_at: Timestamp::default(),
    };
    let mut watch = before.cloned().unwrap_or_else(fresh_watch);
    let agent = s.instance_of(learner).and_then(|i| s.peer(&i));
    // Its etcd does not answer before a snapshot from the leader is loaded, and nothing but that transfer adds to these bytes.
    if let Some(received) = agent.and_then(|answer| answer.received).filter(|received| *received > watch.received) {
        (watch.received, watch.progress_at) = (received, s.now);
    }
    let Some(reading) = s.seen.etcd.statuses.get(&learner.id) else { return Some(watch) };
    let (Some(status), Some(at)) = (reading.fresh(), reading.at()) else {
        watch.caught_up = 0;
        return Some(watch);
    };
    if at <= watch.counted_at {
        return Some(watch);
    }
    watch.counted_at = at;
    let lag = membership.leader.and_then(|l| s.status(l)).map(|l| l.index.saturating_sub(status.applied));
    // What others write makes a learner apply more and brings it no nearer: only a lag that was never smaller is progress.
    if let Some(lag) = lag.filter(|lag| *lag < watch.least_lag) {
        (watch.least_lag, watch.progress_at) = (lag, s.now);
    }
    let near = lag.is_some_and(|lag| lag <= s.policy.caught_up_lag);
    watch.caught_up = if near { watch.caught_up + 1 } else { 0 };
    // A learner that is near but whose agent is dead is never promoted: it must not block the others for ever.
    if near && agent.is_some() {
        watch.progress_at = s.now;
    }
    Some(watch)
}
