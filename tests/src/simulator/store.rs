//! The object store: of the charter create-if-absent is exact, lists may lag, objects may vanish; the snapshots lie beside it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::charter::{Log, Record, State, StoreView};
use quorate_core::ids::{EtcdClusterId, Generation, MemberId, SnapshotKey};

use super::snapshots::Snapshots;

/// The store, and what was ever in it.
#[derive(Debug, Default)]
pub(crate) struct Store {
    records: BTreeMap<u64, Record>,
    /// Another object lies under the prefix.
    pub(crate) foreign: bool,
    /// Lists show nothing above this number.
    lag: Option<u64>,
    /// Counts changes: a reader need not read again what has not changed.
    pub(crate) version: u64,
    /// Every etcd cluster that a record ever called established, the newest last, for the invariants.
    pub(crate) ever_established: Vec<EtcdClusterId>,
    /// The generations of each of them: k3s names no token, so one restored at the same address has the same id.
    generations: BTreeSet<(EtcdClusterId, Generation)>,
    /// Every member that a record ever named, for the invariants.
    pub(crate) ever_listed: BTreeSet<MemberId>,
    /// What lies beside the charter.
    snapshots: Snapshots,
}

impl Store {
    /// Creates a record if its number is free.
    pub(crate) fn create(&mut self, record: &Record) -> bool {
        if self.records.contains_key(&record.number) {
            return false;
        }
        let established = record.etcd_cluster.filter(|_| record.state == State::Established);
        if let Some(cluster) = established.filter(|cluster| self.generations.insert((*cluster, record.generation))) {
            self.ever_established.retain(|before| *before != cluster);
            self.ever_established.push(cluster);
        }
        self.ever_listed.extend(record.voters.iter().map(|v| v.member));
        self.records.insert(record.number, record.clone());
        self.version += 1;
        true
    }

    /// What a reader that remembers the record `known` sees.
    pub(crate) fn view(&self, known: Option<u64>) -> StoreView {
        let shown = self.lag.unwrap_or(u64::MAX);
        let visible = || self.records.range(..=shown).map(|(_, record)| record);
        let Some(highest) = visible().next_back().map(|r| r.number) else {
            let example = if self.foreign { Some("backup.tar") } else { (!self.snapshots.is_empty()).then_some("snapshots") };
            return example.map_or(StoreView::Absent, |example| StoreView::Foreign { example: example.into() });
        };
        let from = known.unwrap_or(1).min(highest);
        StoreView::Charter(Log { records: visible().filter(|r| r.number >= from).cloned().collect() })
    }

    /// The snapshots: beside them no charter is merely absent.
    pub(crate) fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// The same, to change them.
    pub(crate) fn snapshots_mut(&mut self) -> &mut Snapshots {
        self.version += 1;
        &mut self.snapshots
    }

    /// The truth: the highest record.
    pub(crate) fn highest(&self) -> Option<&Record> {
        self.records.values().next_back()
    }

    /// The truth: whether this cluster was established as this generation.
    pub(crate) fn was_generation(&self, cluster: EtcdClusterId, generation: Generation) -> bool {
        self.generations.contains(&(cluster, generation))
    }

    /// The truth: whether the last voter of all retired its cluster to this snapshot, and nothing was established since.
    pub(crate) fn was_retired_to(&self, key: &SnapshotKey) -> bool {
        let last = self.records.values().rev().find(|r| r.founder().is_none());
        last.is_some_and(|r| matches!(&r.state, State::Retired { key: to, .. } if to == key))
    }

    /// The truth: whether the record of that number is there.
    pub(crate) fn holds(&self, number: u64) -> bool {
        self.records.contains_key(&number)
    }

    /// Lists lag from now on, or no longer.
    pub(crate) fn set_lag(&mut self, lags: bool) {
        self.lag = if lags { Some(self.highest().map_or(0, |r| r.number)) } else { None };
        self.version += 1;
    }

    /// Lists lag.
    pub(crate) fn lags(&self) -> bool {
        self.lag.is_some()
    }

    /// Somebody puts another object beside the charter, or takes it away.
    pub(crate) fn set_foreign(&mut self, there: bool) {
        self.foreign = there;
        self.version += 1;
    }

    /// Somebody deletes the highest record.
    pub(crate) fn lose_highest(&mut self) -> Option<u64> {
        let (number, _) = self.records.pop_last()?;
        self.version += 1;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::time::Timestamp;

    use super::*;

    #[test]
    fn beside_snapshots_no_charter_is_merely_absent() {
        let mut store = Store::default();
        let read = store.version;
        assert_eq!(store.view(None), StoreView::Absent);
        store.snapshots_mut().leave_remains(&SnapshotKey::new("snapshots/1/2"), Timestamp(0));
        assert_eq!(store.view(None), StoreView::Foreign { example: "snapshots".into() });
        assert_ne!(store.version, read, "an earlier reader reads it again");
    }
}
