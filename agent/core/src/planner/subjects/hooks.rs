//! This instance's own lifecycle hooks that are open.

use crate::observation::{Hook, Transition};
use crate::situation::Situation;

/// This instance's open hooks of one transition that are not completed yet.
pub(in crate::planner) fn open<'a>(s: &Situation<'a>, transition: Transition) -> impl Iterator<Item = &'a Hook> {
    let is_open = match transition {
        Transition::Launching => s.launch_is_open(),
        Transition::Terminating => s.termination_is_open(),
    };
    let group = s.seen.me.group.clone();
    let completed = &s.memory.hooks.completed;
    let me = s.me().clone();
    let hooks = s.seen.cloud.hooks.last().into_iter().flatten().filter(move |_| is_open);
    hooks.filter(move |h| h.transition == transition && h.hook.group == group && !completed.contains(&(h.hook.clone(), me.clone())))
}
