//! Policy `any`: what a lost quorum goes on from although the survivors do not meet every quorum.

use crate::charter::{Origin, Record, State};
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::Situation;
use crate::snapshot::Stored;

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, loss, restore};

/// The best survivor's decision: the claim to restore a newer snapshot, or what is done and awaited before it. None: its own data goes furthest, and a
/// survivor wins ties.
pub(in crate::planner) fn newer_snapshot(s: &Situation<'_>, record: &Record) -> Option<Decision> {
    let Some(mine) = loss::revision(s, s.me()) else {
        return Some(Decision::halt(
            Phase::Recovering,
            "quorum is lost for good, and this member does not say at which revision its data ends",
        ));
    };
    if !s.has_store() || !s.policy.snapshots.enabled {
        return None;
    }
    let Some(listing) = s.seen.snapshots.stored.fresh() else {
        let says = format!(
            "quorum is lost for good; waits to read whether a snapshot goes further than revision {mine}: {}",
            s.seen.snapshots.stored.why_not_fresh()
        );
        return Some(Decision::wait(Phase::Recovering, says).again_in(s.policy.retry));
    };
    let newer = |stored: &&Stored| Some(stored.manifest.generation) == s.data_generation() && stored.manifest.revision > mine;
    let stored = restore::candidates(s, record, &listing.snapshots).next().filter(newer)?;
    // Its data stays until it goes, and whoever comes after it restores.
    if s.departure().is_some() {
        let says =
            format!("quorum is lost for good; snapshot {} goes further than revision {mine}, but who leaves restores none", stored.key);
        return Some(Decision::wait(Phase::Recovering, says).again_in(s.policy.retry));
    }
    if let Err(fetch) = restore::fetch(s, &stored.key, Phase::Recovering) {
        return Some(fetch);
    }
    Some(claim(s, record, stored, mine))
}

fn claim(s: &Situation<'_>, record: &Record, stored: &Stored, mine: u64) -> Decision {
    let next = Record {
        generation: record.generation.next(),
        origin: Origin::Snapshot { key: stored.key.clone() },
        state: State::Founding { founder: s.me().clone() },
        etcd_cluster: None,
        ancestors: record.lineage(),
        ..change::successor(record)
    };
    let says = format!(
        "quorum is lost for good; claims generation {} to restore snapshot {} of revision {}, which is newer than revision {mine} of the best survivor: every later write is lost",
        next.generation, stored.key, stored.manifest.revision
    );
    Decision::act(Phase::Recovering, Step::CreateRecord(next), says)
}

/// What may be missing when the best survivor's own data goes on.
pub(in crate::planner) fn may_be_missing(s: &Situation<'_>, survivors: usize, voters: usize) -> String {
    let revision = loss::revision(s, s.me()).unwrap_or_default();
    format!(
        "{survivors} of {voters} voters survive and policy `any` acts: writes after revision {revision} can be missing that the lost voters had acknowledged"
    )
}
