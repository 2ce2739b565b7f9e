//! Finishing what the dead could not: their membership and their lifecycle hooks.

use crate::ids::InstanceId;
use crate::memory::BackoffKey;
use crate::observation::{LifecycleState, Member, Transition};
use crate::plan::{HookResult, Step};
use crate::quorum;
use crate::report::Phase;
use crate::situation::Situation;
use crate::time::Timestamp;

use super::charter;
use super::decision::Decision;

/// The agent beside the leader removes a departed voter, one at a time, if quorum survives.
pub(super) fn departed_voter(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let (member, instance) = s.departed_voter()?;
    let membership = s.membership()?;
    let voters = membership.voters().count();
    let healthy = membership.voters().filter(|m| m.id != member.id && s.is_healthy(m.id)).count();
    if !quorum::survives_removal(voters, healthy) {
        let says = format!("{instance} has departed, but removing its member would leave {healthy} healthy of {} voters", voters - 1);
        return Some(Decision::wait(Phase::Voter, says).again_in(s.policy.retry));
    }
    let why = if s.is_departed(&instance) { "its instance has departed" } else { "its instance says that it no longer holds its data" };
    Some(removal(s, Phase::Voter, member, format!("removes member {member}: {why}")))
}

/// MemberRemove through a healthy voter, under the lock, unless it was refused a moment ago.
pub(super) fn removal(s: &Situation<'_>, phase: Phase, member: &Member, says: String) -> Decision {
    if s.memory.waits(BackoffKey::Remove, s.now) {
        return Decision::wait(phase, format!("{says}; etcd refused a moment ago")).again_in(s.policy.retry);
    }
    let Some(via) = s.via_any().filter(|v| v.member != member.id).or_else(|| s.via_other()) else {
        return Decision::wait(phase, format!("{says}; no healthy voter answers")).again_in(s.policy.retry);
    };
    Decision::act(phase, Step::RemoveMember { via, member: member.id }, says).under_lock("remove a member")
}

/// Until when somebody else may have completed this instance's hooks: its own agent while it was heard, the agent beside the leader before this
/// one for as long as it may go by what it read, and this agent by a try whose answer was lost. `None` while it is not known who leads.
pub(crate) fn others_may_have_acted_until(s: &Situation<'_>, id: &InstanceId) -> Option<Timestamp> {
    let (_, since) = s.memory.quorum.led?;
    let known = [s.memory.instances.heard.get(id), s.memory.hooks.tried_for.get(id)];
    known.into_iter().flatten().copied().chain([since + s.policy.stale_after]).max()
}

/// Where a dead instance stands by its own entry, if that was read after all who could have completed its hooks. The group's list is older.
pub(crate) fn place_of_the_dead(s: &Situation<'_>, id: &InstanceId) -> Option<Option<LifecycleState>> {
    let place = s.seen.cloud.places.get(id)?;
    let is_newer = place.at()? > others_may_have_acted_until(s, id)?;
    place.fresh().filter(|_| is_newer).copied()
}

/// Completes the own hooks of a dead instance by its id, once it is no member any more, so that its group does not wait out their timeout.
pub(super) fn hooks_of_the_dead(s: &Situation<'_>) -> Option<Decision> {
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
        let (transition, result) = match place_of_the_dead(s, id)?? {
            LifecycleState::TerminatingWait => (Transition::Terminating, HookResult::Continue),
            LifecycleState::PendingWait if s.is_gone(id) => (Transition::Launching, HookResult::Abandon),
            _ => return None,
        };
        let mine = hooks.iter().filter(|h| h.transition == transition && h.hook.group == listed.group);
        let open = mine.filter(|h| !s.memory.hook_waits(&h.hook, id, s.now)).map(|h| (h.hook.clone(), id.clone()));
        open.into_iter().find(|done| !s.memory.hooks.completed.contains(done)).map(|(hook, id)| (hook, id, result))
    })?;
    let says = format!("completes hook {hook} for {instance}, which has departed");
    Some(Decision::act(Phase::Voter, Step::CompleteHook { hook, instance, result }, says))
}

/// What is still to be written into the charter after `member`'s removal.
pub(super) fn trim(s: &Situation<'_>, phase: Phase, instance: &InstanceId) -> Option<Decision> {
    let next = charter::without(s, instance)?;
    Some(charter::write(s, phase, next, "strikes a removed voter from the charter"))
}
