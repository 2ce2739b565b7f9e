//! Policy `any`: what the cluster continues from after a lost quorum, although the survivors do not meet every quorum.

use crate::charter::{Origin, Record, State};
use crate::explain::recovering::{self, Missing};
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::Situation;
use crate::snapshot::Stored;

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, loss, restore};

/// The best survivor's decision: the claim to restore a newer snapshot, or what is done and awaited before it. None if its own data is the newest; a
/// survivor wins ties.
pub(in crate::planner) fn newer_snapshot(s: &Situation<'_>, record: &Record) -> Option<Decision> {
    let Some(mine) = loss::revision(s, s.me()) else {
        return Some(Decision::halt(Phase::Recovering, recovering::revision_is_unknown()));
    };
    if !s.has_store() || !s.policy.snapshots.enabled {
        return None;
    }
    let Some(listing) = s.seen.snapshots.stored.fresh() else {
        let wait = recovering::snapshots_were_not_read(mine, &s.seen.snapshots.stored.why_not_fresh());
        return Some(Decision::wait(Phase::Recovering, wait).again_in(s.policy.retry));
    };
    let newer = |stored: &&Stored| Some(stored.manifest.generation) == s.data_generation() && stored.manifest.revision > mine;
    let stored = restore::candidates(s, record, &listing.snapshots).next().filter(newer)?;
    // Its data stays until it leaves, and a node that comes after it restores.
    if s.departure().is_some() {
        return Some(Decision::wait(Phase::Recovering, recovering::leaver_restores_none(stored, mine)).again_in(s.policy.retry));
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
    let message = recovering::claims_newer_snapshot(next.generation, stored, mine);
    Decision::act(Phase::Recovering, Step::CreateRecord(next), message)
}

/// What may be missing when the cluster continues from the best survivor's own data.
pub(in crate::planner) fn may_be_missing(s: &Situation<'_>, survivors: usize, voters: usize) -> Missing {
    let revision = loss::revision(s, s.me()).unwrap_or_default();
    Missing::Acknowledged { survivors, voters, revision }
}
