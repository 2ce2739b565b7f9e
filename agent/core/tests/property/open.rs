//! Holes of the gate that are known and not closed yet. Each goes with its fix; the properties hold for everything else.

use quorate_core::charter::Origin;
use quorate_core::plan::Step;

use super::world::World;

/// Whether this step in this world falls into a known hole.
pub(crate) fn is_known(step: &Step, w: &World) -> bool {
    forgets_what_only_the_memory_knows(step, w)
}

/// An ordered fresh claim must not forget an established generation of which only the memory tells.
fn forgets_what_only_the_memory_knows(step: &Step, w: &World) -> bool {
    let known = w.memory.kept.record.as_ref().and_then(|r| r.ever_established);
    matches!(step, Step::CreateRecord(record) if record.origin == Origin::Fresh && record.ever_established < known)
}
