//! Holes of the gate that are known and not closed yet. Each goes with its fix; the properties hold for everything else.

use quorate_core::charter::{Origin, State};
use quorate_core::plan::{Step, StopReason};

use super::world::World;

/// Whether this step in this world falls into a known hole.
pub(crate) fn is_known(step: &Step, w: &World) -> bool {
    remembered_fresh_claim(step, w) || forgets_what_only_the_memory_knows(step, w)
}

/// `data_is_dead` takes a remembered, fresh claim of this node for the store's, and needs to know nothing else.
fn remembered_fresh_claim(step: &Step, w: &World) -> bool {
    let puts_aside = matches!(step, Step::PutDataAside { .. } | Step::StopMember(StopReason::PutAside));
    let mine = State::Founding { founder: w.seen.me.instance.clone() };
    puts_aside && w.memory.kept.record.as_ref().is_some_and(|r| r.origin == Origin::Fresh && r.state == mine)
}

/// An ordered fresh claim must not forget an established generation of which only the memory tells.
fn forgets_what_only_the_memory_knows(step: &Step, w: &World) -> bool {
    let known = w.memory.kept.record.as_ref().and_then(|r| r.ever_established);
    matches!(step, Step::CreateRecord(record) if record.origin == Origin::Fresh && record.ever_established < known)
}
