//! What others may have done for a dead instance, and where it stands since.

use crate::ids::InstanceId;
use crate::observation::LifecycleState;
use crate::situation::Situation;
use crate::time::Timestamp;

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
