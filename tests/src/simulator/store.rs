//! The charter's object store: create-if-absent is exact, lists may lag, objects may vanish.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::charter::{Log, Record, State, StoreView};
use quorate_core::ids::{EtcdClusterId, MemberId};

/// The store, and what was ever in it.
#[derive(Debug, Default)]
pub(crate) struct Store {
    records: BTreeMap<u64, Record>,
    /// Another object lies under the prefix.
    pub(crate) foreign: bool,
    /// Lists show nothing above this number.
    lag: Option<u64>,
    /// Counts changes, so that a reader need not read again.
    pub(crate) version: u64,
    /// Every etcd cluster that a record ever called established, for the invariants.
    pub(crate) ever_established: Vec<EtcdClusterId>,
    /// Every member that a record ever named, for the invariants.
    pub(crate) ever_listed: BTreeSet<MemberId>,
}

impl Store {
    /// Creates a record if its number is free.
    pub(crate) fn create(&mut self, record: &Record) -> bool {
        if self.records.contains_key(&record.number) {
            return false;
        }
        if let Some(cluster) = record.etcd_cluster.filter(|c| record.state == State::Established && !self.ever_established.contains(c)) {
            self.ever_established.push(cluster);
        }
        self.ever_listed.extend(record.voters.iter().map(|v| v.member));
        self.records.insert(record.number, record.clone());
        self.version += 1;
        true
    }

    /// What a reader sees who remembers the record `known`.
    pub(crate) fn view(&self, known: Option<u64>) -> StoreView {
        let shown = self.lag.unwrap_or(u64::MAX);
        let visible = || self.records.range(..=shown).map(|(_, record)| record);
        let Some(highest) = visible().next_back().map(|r| r.number) else {
            return if self.foreign { StoreView::Foreign { example: "backup.tar".into() } } else { StoreView::Absent };
        };
        let from = known.unwrap_or(1).min(highest);
        StoreView::Charter(Log { records: visible().filter(|r| r.number >= from).cloned().collect() })
    }

    /// The truth: the highest record.
    pub(crate) fn highest(&self) -> Option<&Record> {
        self.records.values().next_back()
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
