//! Steps on this machine and in the store: the charter, the process, the data directory.

use quorate_core::charter::{Origin, Record, State};
use quorate_core::ids::{Generation, SnapshotKey};
use quorate_core::plan::{Outcome, Start, StopReason};

use super::{Fate, no_answer};
use crate::simulator::sabotage::Sabotage;
use crate::simulator::world::World;

/// In a thousand: how often a distribution does not finish a restore.
const CUT_SHORT: u64 = 100;

impl World {
    pub(super) fn create_record(&mut self, n: usize, record: &Record) -> Outcome {
        let fate = self.fate();
        if self.nodes[n].store_down || fate == Fate::LostBefore {
            return no_answer();
        }
        if !self.store.create(record) {
            return if fate == Fate::LostAfter { no_answer() } else { self.refused("the number is taken") };
        }
        self.count_record(n, record);
        if fate == Fate::LostAfter { no_answer() } else { Outcome::Done }
    }

    fn count_record(&mut self, n: usize, record: &Record) {
        self.stats.retired += u64::from(matches!(record.state, State::Retired { .. }));
        self.stats.rewritten += u64::from(self.nodes[n].disk.kept.as_ref().and_then(|k| k.record.as_ref()) == Some(record));
        if matches!(record.state, State::Founding { .. }) && matches!(record.origin, Origin::Empty | Origin::Fresh) {
            self.stats.founded += 1;
            self.stats.taken_over += u64::from(record.number > 1);
        }
    }

    pub(super) fn start_member(&mut self, n: usize, start: &Start) -> Outcome {
        if self.process_runs(n) {
            return self.refused("etcd runs already");
        }
        self.nodes[n].ran_this_boot = true;
        if self.has_servers() {
            self.start_server(n, start);
            return Outcome::Done;
        }
        let started = match start {
            Start::Found { generation, token } => {
                self.nodes[n].disk.generation = Some(*generation);
                let loopback_only = !self.is_sabotaged(Sabotage::ServeBeforeEstablished);
                self.etcd.found(n, token, loopback_only, self.now);
                Ok(())
            }
            Start::Join { generation, initial_cluster } => {
                self.nodes[n].disk.generation = Some(*generation);
                self.nodes[n].disk.started_in_vain = true;
                let joined = self.etcd.join(n, initial_cluster, self.now, &self.network);
                self.receive_slowly(n);
                joined
            }
            Start::JoinServer { .. } | Start::Worker { .. } => return self.refused("no distribution runs here"),
            Start::Resume { loopback_only, .. } => self.etcd.resume(n, *loopback_only, self.now),
            Start::Alone => self.etcd.resume(n, true, self.now),
        };
        if self.etcd.servers[n].data.is_some() {
            self.nodes[n].disk.started_in_vain = false;
        }
        // A process that exits at once counts as started; the next look finds it stopped.
        if let Err(why) = started {
            self.tell(n, || format!("etcd exits at once: {why}"));
        }
        Outcome::Done
    }

    pub(super) fn stop_member(&mut self, n: usize, reason: StopReason) -> Outcome {
        self.end_process(n, true);
        self.nodes[n].k3s.kept_down |= reason.is_final();
        Outcome::Done
    }

    pub(super) fn put_data_aside(&mut self, n: usize) -> Outcome {
        if self.process_runs(n) {
            return self.refused("etcd runs on it");
        }
        self.etcd.servers[n].data = None;
        (self.nodes[n].k3s.credentials, self.nodes[n].k3s.tombstone) = (false, false);
        let disk = &mut self.nodes[n].disk;
        disk.started_in_vain = false;
        disk.generation = None;
        disk.trash += 1;
        Outcome::Done
    }

    pub(super) fn restore_own_data(&mut self, n: usize, generation: Generation, token: &str) -> Outcome {
        if self.process_runs(n) {
            return self.refused("etcd runs on it");
        }
        if self.has_servers() && self.rng.chance(CUT_SHORT) {
            return self.refused("k3s did not restore it: what it left half done counts for nothing");
        }
        let restored = if self.has_servers() { self.reset_server_to_its_own(n) } else { self.etcd.restore(n, token) };
        let Some(old) = restored else { return self.refused("there is no data to restore") };
        self.stats.recovered += 1;
        let disk = &mut self.nodes[n].disk;
        disk.superseded = Some(Box::new(old));
        disk.generation = Some(generation);
        self.forgive_after_restore(n);
        Outcome::Done
    }

    pub(super) fn fetch_snapshot(&mut self, n: usize, key: &SnapshotKey) -> Outcome {
        if self.nodes[n].store_down || self.fate() != Fate::Delivered {
            return no_answer();
        }
        if self.store.snapshots().data(key).is_none() {
            return self.refused("the store holds no such snapshot");
        }
        self.nodes[n].disk.fetched = Some(key.clone());
        Outcome::Done
    }

    pub(super) fn restore_snapshot(&mut self, n: usize, key: &SnapshotKey, generation: Generation, token: &str) -> Outcome {
        if self.process_runs(n) || self.etcd.servers[n].data.is_some() {
            return self.refused("there is data, or etcd runs on it");
        }
        let data = self.store.snapshots().data(key).cloned().filter(|_| self.nodes[n].disk.fetched.as_ref() == Some(key));
        let Some(data) = data else { return self.refused("it was not fetched") };
        if self.has_servers() && self.rng.chance(CUT_SHORT) {
            return self.refused("k3s did not restore it: what it left half done counts for nothing");
        }
        self.forgive_what_the_snapshot_lacks(n, key, &data);
        if self.has_servers() {
            self.reset_server(n, &data)
        } else {
            self.etcd.restore_from(n, token, &data)
        }
        self.nodes[n].disk.generation = Some(generation);
        self.stats.restored += 1;
        Outcome::Done
    }

    pub(super) fn drop_superseded(&mut self, n: usize) -> Outcome {
        let disk = &mut self.nodes[n].disk;
        disk.trash += u32::from(disk.superseded.take().is_some()) + u32::from(disk.fetched.take().is_some());
        Outcome::Done
    }
}
