//! Finishing what the dead could not: their membership and their lifecycle hooks.

use crate::explain::{duties, removing};
use crate::observation::{LifecycleState, Member, Membership, Transition};
use crate::plan::{HookResult, Step};
use crate::policy::Strangers;
use crate::quorum;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, dead};

/// Removes a voter that was added by hand and never started, where the operator wants that: it counts in every quorum and keeps others from joining.
pub(in crate::planner) fn unstarted_stranger(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() || s.policy.strangers != Strangers::Remove {
        return None;
    }
    let membership = s.membership()?;
    let (id, since) = s.memory.quorum.unstarted?;
    let stranger = membership.unstarted_voter().filter(|m| m.id == id && s.now.since(since) >= s.policy.learner_patience)?;
    let voters = membership.voters().count();
    let healthy = membership.voters().filter(|m| s.is_healthy(m.id)).count();
    let survives = quorum::survives_removal(voters, healthy);
    survives.then(|| change::removal(s, Phase::Voter, stranger, removing::unstarted_stranger(stranger)))
}

/// Removes a departed voter, one at a time and only if quorum survives; done by the agent beside the leader. Of several, the one whose etcd has ended may be
/// removed while another's still answers and is needed.
pub(in crate::planner) fn departed_voter(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let membership = s.membership()?;
    let voters = membership.voters().count();
    let (member, instance) = s.departed_voters().find(|(m, _)| quorum::survives_removal(voters, healthy_without(s, membership, m)))?;
    let message = if s.is_departed(&instance) { removing::departed(member) } else { removing::without_its_data(member) };
    Some(change::removal(s, Phase::Voter, member, message))
}

/// A departed voter cannot be removed yet. It comes after the duties that depend on no removal, such as the charter: a joiner finds the voters by it.
pub(in crate::planner) fn departed_voter_is_needed(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let (member, instance) = s.departed_voter()?;
    let membership = s.membership()?;
    let others = membership.voters().count() - 1;
    let wait = removing::quorum_would_not_survive(&instance, healthy_without(s, membership, member), others);
    Some(Decision::wait(Phase::Voter, wait).again_in(s.policy.retry))
}

fn healthy_without(s: &Situation<'_>, membership: &Membership, member: &Member) -> usize {
    membership.voters().filter(|m| m.id != member.id && s.is_healthy(m.id)).count()
}

/// Completes a dead instance's own hooks by its id, once it is no longer a member, so its group does not wait out their timeout.
pub(in crate::planner) fn hooks_of_the_dead(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let listed = s.seen.cloud.listed.fresh()?;
    let hooks = s.seen.cloud.hooks.last()?;
    let members = &s.membership()?.members;
    let trimmed = |id| s.record().is_none_or(|r| !r.lists(id));
    let is_member = |id| members.iter().any(|m| s.instance_of(m).as_ref() == Some(id));
    let departed = listed.iter().filter(|(id, _)| *id != s.me() && s.is_departed(id) && !is_member(id) && trimmed(id));
    let (hook, instance, result) = departed.into_iter().find_map(|(id, listed)| {
        let (transition, result) = match dead::place_of_the_dead(s, id)?? {
            LifecycleState::TerminatingWait => (Transition::Terminating, HookResult::Continue),
            LifecycleState::PendingWait if s.is_gone(id) => (Transition::Launching, HookResult::Abandon),
            _ => return None,
        };
        let mine = hooks.iter().filter(|h| h.transition == transition && h.hook.group == listed.group);
        let open = mine.filter(|h| !s.memory.hook_waits(&h.hook, id, s.now)).map(|h| (h.hook.clone(), id.clone()));
        open.into_iter().find(|done| !s.memory.hooks.completed.contains(done)).map(|(hook, id)| (hook, id, result))
    })?;
    let message = duties::completes_hook_of(&instance, &hook);
    Some(Decision::act(Phase::Voter, Step::CompleteHook { hook, instance, result }, message))
}
