//! What others may have done for a dead instance, and its place in its group since then.

use crate::ids::InstanceId;
use crate::observation::LifecycleState;
use crate::situation::Situation;
use crate::time::Timestamp;

/// Until when this instance's hooks may have been completed: by its own agent while it was heard, by the agent beside the previous leader for as
/// long as it may act on what it read, or by this agent in a try that got no answer. `None` while the leader is not known.
pub(crate) fn others_may_have_acted_until(s: &Situation<'_>, id: &InstanceId) -> Option<Timestamp> {
    let (_, since) = s.memory.quorum.led?;
    let known = [s.memory.instances.heard.get(id), s.memory.hooks.tried_for.get(id)];
    known.into_iter().flatten().copied().chain([since + s.policy.stale_after]).max()
}

/// The place of a dead instance by its own entry, if that was read after everything that could have completed its hooks. The group's list is older.
pub(crate) fn place_of_the_dead(s: &Situation<'_>, id: &InstanceId) -> Option<Option<LifecycleState>> {
    let place = s.seen.cloud.places.get(id)?;
    let is_newer = place.at()? > others_may_have_acted_until(s, id)?;
    place.fresh().filter(|_| is_newer).copied()
}
