//! This instance's own lifecycle actions: which are open, and which are over.

use crate::memory::{HookHeartbeat, Memory};
use crate::observation::{HookRef, Observation, Transition};
use crate::situation::Situation;
use crate::time::Timestamp;

/// This instance's own actions: those that are open, and those that are known to be over.
pub(super) struct Actions {
    open: Vec<HookRef>,
    over: Vec<HookRef>,
}

impl Actions {
    /// The actions by what is seen of this instance's place. No action counts as over while that place is not known.
    pub(super) fn of(s: &Situation<'_>) -> Self {
        let open: Vec<_> = open(s).collect();
        let place_is_known = s.seen.cloud.own_state.fresh().is_some();
        let over = if place_is_known { own(s).map(|(hook, _)| hook).filter(|h| !open.contains(h)).collect() } else { Vec::new() };
        Self { open, over }
    }

    /// Takes in the actions, and forgets those that are over: a hook may open again for the same instance (warm pools), as another action with its own time.
    pub(super) fn absorb(self, memory: &mut Memory, seen: &Observation, now: Timestamp) {
        let hooks = &mut memory.hooks;
        for hook in self.open {
            hooks.heartbeats.entry(hook).or_insert(HookHeartbeat::opened(now));
        }
        for hook in self.over {
            hooks.heartbeats.remove(&hook);
            hooks.completed.remove(&(hook, seen.me.instance.clone()));
        }
        hooks.not_before.retain(|_, at| now < *at);
        if let Some(listed) = seen.cloud.listed.fresh() {
            hooks.tried_for.retain(|id, _| listed.contains_key(id));
        }
    }
}

/// The hooks of this instance's group.
fn own<'a>(s: &Situation<'a>) -> impl Iterator<Item = (HookRef, Transition)> + use<'a> {
    let group = s.seen.me.group.clone();
    let hooks = s.seen.cloud.hooks.last().into_iter().flatten();
    hooks.filter(move |h| h.hook.group == group).map(|h| (h.hook.clone(), h.transition))
}

fn open<'a>(s: &Situation<'a>) -> impl Iterator<Item = HookRef> + use<'a> {
    let (launching, terminating) = (s.launch_is_open(), s.termination_is_open());
    let is_open = move |transition: &Transition| match transition {
        Transition::Launching => launching,
        Transition::Terminating => terminating,
    };
    own(s).filter(move |(_, transition)| is_open(transition)).map(|(hook, _)| hook)
}
