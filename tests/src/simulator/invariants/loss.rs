//! When data is really lost, and which acknowledged writes a recovery may lose with it.

use quorate_core::charter::{Record, State};
use quorate_core::ids::SnapshotKey;
use quorate_core::policy::Recovery;

use crate::simulator::etcd_model::{Change, Data};
use crate::simulator::world::World;

impl World {
    /// Checks whether quorum dies with this node's disk.
    pub(crate) fn before_data_is_lost(&mut self, n: usize) {
        // What was retired is in its snapshot.
        if self.store.highest().is_some_and(|r| matches!(r.state, State::Retired { .. })) {
            return;
        }
        let Some(cluster) = self.store.ever_established.last().copied() else { return };
        let copies = || self.copies().filter(|d| d.cluster == cluster);
        let Some(newest) = copies().max_by_key(|d| d.applied) else { return };
        let dying = self.etcd.servers[n].data.as_ref().filter(|d| d.cluster == cluster).map(|d| d.member);
        let Some(dying) = dying else { return };
        let survives = |id| id != dying && copies().any(|d| d.member == id);
        let (voters, left) = (newest.voters().count(), newest.voters().filter(|m| survives(m.id)).count());
        if !newest.voters().any(|m| m.id == dying) || quorate_core::quorum::has_quorum(voters, left) {
            return;
        }
        self.tell(n, || format!("with its disk quorum is lost for good: {left} of {voters} voters' data are left"));
        self.checks.quorum_lost = Some(cluster);
        self.checks.total_loss |= left == 0;
    }

    /// A record vanished from the store, and no node that remembers it or a later one is left to write it again.
    pub(crate) fn look_for_amnesia(&mut self) {
        let lost = self.checks.records_lost.iter().copied().filter(|number| !self.store.holds(*number)).max();
        let Some(lost) = lost else { return };
        let remembers = |record: &Option<Record>| record.as_ref().is_some_and(|r| r.number >= lost);
        let remembered = self.nodes.iter().any(|node| {
            let kept = node.disk.kept.as_ref().is_some_and(|k| remembers(&k.record));
            kept || node.agent.as_ref().is_some_and(|a| remembers(&a.memory().kept.record))
        });
        if !remembered {
            self.tell_all(|| format!("record {lost} is lost, and nobody remembers it"));
            self.checks.amnesia = true;
        }
    }

    /// Whether any copy of the established cluster's data could win an election among what is left, by its own applied list. When a leader dies
    /// right after it promoted a member, the others may still count by the old list, and be too few for it.
    pub(crate) fn somebody_could_lead(&self) -> bool {
        let Some(cluster) = self.store.ever_established.last().copied() else { return true };
        let left: Vec<&Data> = self.etcd.servers.iter().filter_map(|s| s.data.as_ref()).filter(|d| d.cluster == cluster).collect();
        left.iter().any(|data| {
            let there = data.voters().filter(|m| left.iter().any(|other| other.member == m.id)).count();
            data.is_voter() && quorate_core::quorum::has_quorum(data.voters().count(), there)
        })
    }

    /// Whether the voters whose data is left meet every possible quorum of the newest list, so that policy `safe` would let them act.
    pub(crate) fn survivors_would_do(&self) -> bool {
        let Some(cluster) = self.store.ever_established.last().copied() else { return false };
        let left: Vec<&Data> = self.etcd.servers.iter().filter_map(|s| s.data.as_ref()).filter(|d| d.cluster == cluster).collect();
        let Some(newest) = left.iter().max_by_key(|d| d.applied) else { return false };
        let there = newest.voters().filter(|m| left.iter().any(|d| d.member == m.id)).count();
        quorate_core::quorum::meets_every_quorum(newest.voters().count(), there)
    }

    /// Every copy of a member's data that still exists, data kept by a recovery included.
    pub(crate) fn copies(&self) -> impl Iterator<Item = &Data> {
        let kept = self.nodes.iter().filter_map(|n| n.disk.superseded.as_deref());
        self.etcd.servers.iter().filter_map(|s| s.data.as_ref()).chain(kept)
    }

    /// A snapshot is restored only once no voter's data of the established generation is left, or under policy `any` none that reaches as far; then what was
    /// written after it is lost.
    pub(crate) fn forgive_what_the_snapshot_lacks(&mut self, n: usize, key: &SnapshotKey, snapshot: &Data) {
        let cluster = self.store.ever_established.last().copied().filter(|_| !self.store.was_retired_to(key));
        let counts = |d: &&Data| !self.acts_by_any() || d.revision() >= snapshot.revision();
        let left = self.copies().filter(|d| Some(d.cluster) == cluster && d.is_voter()).find(counts).map(|d| d.member);
        if let Some(member) = left {
            self.violate("I2", format!("node {n} restores a snapshot although the data of voter {member} is left"));
        }
        let missing: Vec<u32> = self.checks.acknowledged.minus(&snapshot.writes).filter(|w| !self.checks.forgiven.contains(*w)).collect();
        if let Some(write) = missing.first().filter(|_| self.store.was_retired_to(key)) {
            self.violate("I2", format!("the cluster was retired to {key}, which lacks write {write}"));
        }
        for write in missing {
            self.checks.forgiven.insert(write);
            self.stats.lost_in_recovery += 1;
        }
    }

    fn acts_by_any(&self) -> bool {
        self.policy.recovery == Recovery::Any
    }

    /// Some voter's copy of the lost generation has applied the write, or a snapshot of it that is in the store holds it.
    fn anything_left_has(&self, write: u32) -> bool {
        let cluster = self.store.ever_established.last().copied();
        let in_a_copy = self.copies().filter(|d| Some(d.cluster) == cluster && d.is_voter()).any(|d| d.writes.contains(write));
        in_a_copy || self.store.snapshots().all().filter(|d| Some(d.cluster) == cluster).any(|d| d.writes.contains(write))
    }

    /// A restore keeps only what was applied. An acknowledged write may be missing only if it lies in the unapplied tail of a survivor.
    pub(crate) fn forgive_after_restore(&mut self, n: usize) {
        let Some(restored) = &self.etcd.servers[n].data else { return };
        let missing: Vec<u32> = self.checks.acknowledged.minus(&restored.writes).filter(|w| !self.checks.forgiven.contains(*w)).collect();
        for write in missing {
            if self.acts_by_any() && !self.anything_left_has(write) {
                self.checks.forgiven.insert(write);
                self.stats.lost_in_recovery += 1;
                self.stats.lost_by_any += 1;
                continue;
            }
            let in_a_tail = self.copies().any(|d| d.log[d.applied..].iter().any(|e| matches!(e.change, Change::Put(w) if w == write)));
            if in_a_tail {
                self.checks.forgiven.insert(write);
                self.stats.lost_in_recovery += 1;
            } else {
                self.violate("I2", format!("the restored data lacks write {write}, and no survivor has it in its log's tail either"));
            }
        }
    }
}
