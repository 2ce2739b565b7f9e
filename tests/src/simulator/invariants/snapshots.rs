//! I9: a snapshot is what its manifest says, enough of them are kept, and a membership change has one from just before it or a reason to do without.

use std::time::Duration;

use quorate_core::charter::State;
use quorate_core::ids::SnapshotKey;
use quorate_core::memory::BackoffKey;
use quorate_core::observation::Taken;
use quorate_core::plan::{NodeStep, Step};
use quorate_core::situation::Situation;
use quorate_core::snapshot::Stored;

use crate::simulator::etcd_model::{Change, Data};
use crate::simulator::node::Agent;
use crate::simulator::node::uploads::Uploads;
use crate::simulator::sabotage::Sabotage;
use crate::simulator::story::describe;
use crate::simulator::world::World;

/// A snapshot is its member's own data, and a follower learns of a commit with the next beats.
const BEHIND: Duration = Duration::from_secs(2);
/// Time for one snapshot at the end of an interval, however slow, and for another after a failure.
const SLACK: Duration = Duration::from_secs(90);
/// Margins that a leaver keeps back for the leave itself (`planner/subjects/departing.rs`).
const MARGINS_TO_LEAVE: u32 = 3;

impl World {
    /// A manifest was written: its data must be that of the generation it names, as of some moment shortly before it was begun.
    pub(crate) fn check_stored(&mut self, key: &SnapshotKey, level: bool) {
        let listing = self.store.snapshots().listing();
        let (Some(stored), Some(data)) = (listing.get(key), self.store.snapshots().data(key)) else {
            return self.violate("I9", format!("snapshot {key} was stored, and is not in the store"));
        };
        let missing = self.missing_write(stored, data, Duration::ZERO);
        let wrong = self.mislabelled(stored, data).or_else(|| self.never_was(data)).or_else(|| {
            // One that was cut off from its leader a moment ago may be behind by as much.
            let missing = self.missing_write(stored, data, BEHIND).filter(|_| level)?;
            Some(format!("was begun at {} and lacks write {missing}, which was acknowledged before", stored.manifest.taken_at))
        });
        self.stats.snapshots_behind += u64::from(missing.is_some());
        if let Some(why) = wrong {
            self.violate("I9", format!("snapshot {key} {why}"));
        }
    }

    fn mislabelled(&self, stored: &Stored, data: &Data) -> Option<String> {
        let manifest = &stored.manifest;
        let right = data.cluster == manifest.etcd_cluster && self.store.was_generation(data.cluster, manifest.generation);
        (!right).then(|| {
            format!("is of etcd cluster {}, and called generation {} of {}", data.cluster, manifest.generation, manifest.etcd_cluster)
        })
    }

    /// What is applied must be what the generation had committed, and the writes in it those of its log.
    fn never_was(&self, data: &Data) -> Option<String> {
        let newest = self.copies().filter(|d| d.cluster == data.cluster).max_by_key(|d| d.commit)?;
        let mut writes = (*data.base).clone();
        let puts = data.log[..data.applied].iter().filter_map(|e| if let Change::Put(number) = e.change { Some(number) } else { None });
        puts.for_each(|number| writes.insert(number));
        let is_prefix = newest.commit < data.applied || data.matches(newest) >= data.applied;
        (!is_prefix || writes != data.writes).then(|| format!("holds what etcd cluster {} never had", data.cluster))
    }

    /// A write that it lacks, although it was acknowledged this long before the snapshot was begun.
    fn missing_write(&self, stored: &Stored, data: &Data, before: Duration) -> Option<u32> {
        let in_time = |write: &u32| self.checks.written_at.get(*write as usize).is_some_and(|at| *at + before < stored.manifest.taken_at);
        self.checks.acknowledged.minus(&data.writes).find(|w| in_time(w) && !self.checks.forgiven.contains(*w))
    }

    /// Before a snapshot is deleted: it must not be the newest of its generation, and of the current one enough must be left.
    pub(crate) fn check_deletion(&mut self, n: usize, key: &SnapshotKey) {
        let listing = self.store.snapshots().listing();
        let Some(stored) = listing.get(key) else { return };
        let (generation, cluster) = (stored.manifest.generation, stored.manifest.etcd_cluster);
        let of_it = listing.snapshots.iter().filter(|s| s.manifest.generation == generation && s.manifest.etcd_cluster == cluster).count();
        let is_newest = listing.newest_of(generation, cluster).is_some_and(|newest| newest.key == *key);
        let at_least = self.policy.snapshots.retention.at_least;
        let is_current = self.store.ever_established.last() == Some(&cluster);
        let who = &self.nodes[n].me.instance;
        if is_newest {
            let text = format!("{who} deletes {key}, the newest snapshot of generation {generation}");
            self.violate("I9", text);
        } else if is_current && of_it <= at_least {
            let text =
                format!("{who} deletes {key}, one of {of_it} snapshots of the current generation, of which {at_least} are to be kept");
            self.violate("I9", text);
        }
    }

    /// When a step was decided on.
    pub(crate) fn check_cover(&mut self, n: usize, agent: &Agent, step: &Step) {
        let changes = matches!(
            step,
            Step::AddLearner { .. } | Step::Promote { .. } | Step::RemoveMember { .. } | Step::Node(NodeStep::AnnotateRemoval { .. })
        );
        if changes {
            self.judge_cover(n, agent, || describe(step));
        }
    }

    /// When another server was let in, which adds its member on its own. One whose member is in the list already was let in before.
    pub(crate) fn check_cover_of_admission(&mut self, n: usize, agent: &Agent) {
        let is_new = |since| since == self.now && agent.seen.etcd.membership.fresh().is_some_and(|m| m.learner().is_none());
        if let Some(admission) = agent.memory().servers.admission.as_ref().filter(|a| is_new(a.since)) {
            self.judge_cover(n, agent, || format!("admits {}", admission.instance));
        }
    }

    fn judge_cover(&mut self, n: usize, agent: &Agent, what: impl FnOnce() -> String) {
        // Other sabotage needs no snapshot, and has to be found by what it breaks.
        let judged = matches!(self.sabotage, None | Some(Sabotage::NoGate | Sabotage::ChangeWithoutSnapshot | Sabotage::PruneNewest));
        if !judged || !self.takes_snapshots(n) {
            return;
        }
        if self.has_recent_snapshot(n, agent) {
            self.stats.changes_with_snapshot += 1;
        } else if self.may_go_without(n, agent) {
            self.stats.changes_without_snapshot += 1;
        } else {
            let text = format!("{} does this without a snapshot before, and without reason: {}", self.nodes[n].me.instance, what());
            self.violate("I9", text);
        }
    }

    /// Counted as the core counts it, but by the snapshots that this agent really took.
    fn has_recent_snapshot(&self, n: usize, agent: &Agent) -> bool {
        let own = self.nodes[n].uploads.taken.as_ref().filter(|taken| taken.result.is_ok()).map(|taken| taken.at);
        let newest = agent.memory().snapshots.newest.as_ref().map(|(_, at)| *at).max(own);
        newest.is_some_and(|at| self.now.since(at) <= self.policy.snapshots.recent)
    }

    fn may_go_without(&self, n: usize, agent: &Agent) -> bool {
        let policy = &self.policy.snapshots;
        let Uploads { taking, taken, .. } = &self.nodes[n].uploads;
        let impatient = taking.as_ref().is_some_and(|upload| self.now.since(upload.since) >= policy.change_patience);
        let failed = |taken: &Taken| taken.result.is_err() && self.now.since(taken.at) < policy.retry;
        let failed = taken.as_ref().is_some_and(failed) || agent.memory().waits(BackoffKey::Snapshot, self.now);
        impatient || failed || agent.seen.snapshots.stored.fresh().is_none() || self.is_hurried_or_uncovered(agent)
    }

    /// Its time to leave is short; or no record that can be read is of the cluster that answers.
    fn is_hurried_or_uncovered(&self, agent: &Agent) -> bool {
        let s = Situation::new(&agent.seen, agent.memory(), &self.policy, self.now);
        let deadline = s.departure().and_then(|departure| departure.deadline);
        let answers = s.membership().map(|m| m.cluster);
        let covered = s.record().is_some_and(|r| r.state == State::Established && answers.is_some() && r.etcd_cluster == answers);
        deadline.is_some_and(|deadline| self.now + self.policy.leave_margin * MARGINS_TO_LEAVE >= deadline) || !covered
    }

    /// Why the snapshots are not as they should be at the end: there is one of the established generation that is not too old.
    pub(crate) fn snapshots_unsettled(&self) -> Option<String> {
        let policy = self.policy.snapshots;
        let cluster = self.store.ever_established.last().copied().filter(|_| policy.enabled)?;
        let of_it = self.store.snapshots().listing().snapshots.iter().filter(|s| s.manifest.etcd_cluster == cluster);
        let Some(newest) = of_it.map(|s| s.stored_at).max() else { return Some("no snapshot was ever taken".to_owned()) };
        let age = self.now.since(newest);
        (age > policy.interval * 2 + SLACK).then(|| format!("the newest snapshot is {age:?} old"))
    }
}
