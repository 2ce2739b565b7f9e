//! Snapshots in a story: those that the store holds, and the progress of the one that was begun.

use std::sync::Arc;

use quorate_core::charter::Record;
use quorate_core::ids::{EtcdClusterId, InstanceId, SnapshotKey};
use quorate_core::observation::{Drilled, Drills, FetchFailure, Fetching, Me, Saved, SnapshotsView, Taken, Taking};
use quorate_core::reading::Reading;
use quorate_core::snapshot::{Listing, Manifest, SnapshotOrder, Stored, Stray, StrayKind, Trigger};
use quorate_core::time::Timestamp;

use crate::story::words::Words;

/// The snapshots of a story. Unless it says otherwise there is always a snapshot from just now.
#[derive(Clone, Debug, Default)]
pub(crate) struct SnapshotsWorld {
    stored: Mode,
    taking: Option<(Trigger, Timestamp)>,
    taken: Option<Taken>,
    fetching: Option<SnapshotKey>,
    fetched: Option<SnapshotKey>,
    fetch_failed: Option<(SnapshotKey, Timestamp, FetchFailure)>,
    drills: Drills,
}

#[derive(Clone, Debug, Default)]
enum Mode {
    #[default]
    Recent,
    Unlisted,
    /// When each was stored, of the current generation; and remains of uploads.
    At(Vec<Timestamp>, Vec<Timestamp>),
}

impl SnapshotsWorld {
    pub(crate) fn set(&mut self, words: &Words<'_>, now: Timestamp) {
        match words.nth(0) {
            "recent" => *self = Self::default(),
            "unlisted" => self.stored = Mode::Unlisted,
            "none" => self.stored = Mode::At(Vec::new(), Vec::new()),
            "aged" => self.stored = Mode::At(ages(words.rest().trim_start_matches("aged"), words, now), Vec::new()),
            "added" => self.add(now - words.duration(words.nth(1))),
            "remains" => self.remains(now - words.duration(words.nth(1))),
            "taken" => self.end(now, None),
            "fetched" => self.fetched = self.fetching.take(),
            "corrupt" => self.fetch_ends(now, FetchFailure::Corrupt(words.rest().trim_start_matches("corrupt").trim().to_owned())),
            "unread" => self.fetch_ends(now, FetchFailure::Failed(words.rest().trim_start_matches("unread").trim().to_owned())),
            "drilled" => self.drill_ends(now, words.rest().trim_start_matches("drilled").trim()),
            "failed" => self.end(now, Some(words.rest().trim_start_matches("failed").trim().to_owned())),
            _ => words.fail("no such snapshots"),
        }
    }

    fn add(&mut self, at: Timestamp) {
        if let Mode::At(stored, _) = &mut self.stored {
            stored.push(at);
        }
    }

    fn remains(&mut self, at: Timestamp) {
        if let Mode::At(_, remains) = &mut self.stored {
            remains.push(at);
        }
    }

    fn end(&mut self, now: Timestamp, failure: Option<String>) {
        let Some((trigger, since)) = self.taking.take() else { return };
        let result = failure.map_or_else(|| Ok(Saved { key: SnapshotKey::new("snapshots/new"), revision: 100 }), Err);
        if let (Mode::At(stored, _), true) = (&mut self.stored, result.is_ok()) {
            stored.push(now);
        }
        self.taken = Some(Taken { trigger, since, at: now, result });
    }

    fn fetch_ends(&mut self, now: Timestamp, failure: FetchFailure) {
        self.fetch_failed = self.fetching.take().map(|key| (key, now, failure));
    }

    /// A drill without a reason has succeeded.
    fn drill_ends(&mut self, now: Timestamp, why: &str) {
        let Some((key, _)) = self.drills.running.take() else { return };
        self.drills.end(Drilled { key, revision: 1, at: now, failed: (!why.is_empty()).then(|| why.to_owned()) });
    }

    pub(crate) fn drill(&mut self, key: &SnapshotKey, now: Timestamp) {
        self.drills.running = Some((key.clone(), now));
    }

    pub(crate) fn fetched(&self) -> Option<SnapshotKey> {
        self.fetched.clone()
    }

    pub(crate) fn fetch(&mut self, key: &SnapshotKey) {
        self.fetching = Some(key.clone());
    }

    pub(crate) fn begin(&mut self, order: &SnapshotOrder, now: Timestamp) {
        self.taking = Some((order.trigger, now));
    }

    pub(crate) fn delete(&mut self, keys: &[SnapshotKey], record: Option<&Record>, me: &Me) {
        if let (Mode::At(stored, remains), Some(record)) = (&mut self.stored, record) {
            stored.retain(|at| !keys.contains(&snapshot(record, me, *at).key));
            remains.clear();
        }
    }

    pub(crate) fn observe(&self, record: Option<&Record>, me: &Me, now: Timestamp) -> SnapshotsView {
        let of = |at: &[Timestamp]| record.into_iter().flat_map(|r| at.iter().map(|at| snapshot(r, me, *at))).collect();
        let listing = match &self.stored {
            Mode::Unlisted => None,
            Mode::Recent => Some(Listing { snapshots: of(&[now]), strays: Vec::new() }),
            Mode::At(stored, remains) => Some(Listing { snapshots: of(stored), strays: remains.iter().map(|at| stray(*at)).collect() }),
        };
        let stored = listing.map_or_else(|| Reading::unknown("the store did not answer"), |l| Reading::Fresh(Arc::new(l.sorted()), now));
        let taking = self.taking.map(|(trigger, since)| Taking { trigger, since, bytes: 3 << 20, of: Some(7 << 20) });
        let fetching = self.fetching.clone().map(|key| Fetching { key, bytes: 5 << 20, of: 7 << 20 });
        let (fetched, fetch_failed) = (self.fetched.clone(), self.fetch_failed.clone());
        SnapshotsView { stored, taking, taken: self.taken.clone(), fetching, fetched, fetch_failed, drills: self.drills.clone() }
    }
}

fn ages(text: &str, words: &Words<'_>, now: Timestamp) -> Vec<Timestamp> {
    Words::items(text).map(|age| now - words.duration(age)).collect()
}

fn stray(at: Timestamp) -> Stray {
    Stray { at: format!("snapshots/remains-{}.db", at.0), stored_at: at, why: StrayKind::Unfinished }
}

fn snapshot(record: &Record, me: &Me, at: Timestamp) -> Stored {
    let manifest = Manifest {
        version: Manifest::VERSION,
        account: me.account.clone(),
        region: me.region.clone(),
        cluster: me.cluster.clone(),
        generation: record.generation,
        etcd_cluster: record.etcd_cluster.unwrap_or(EtcdClusterId(0)),
        record: record.number,
        voters: record.voters.clone(),
        revision: at.0 / 1000,
        size: 4096 + 32,
        sha256: "0".repeat(64),
        etcd_version: "3.5.21".to_owned(),
        taken_by: InstanceId::new("i-a"),
        taken_at: at,
        trigger: Trigger::Interval,
    };
    Stored { key: SnapshotKey::of(manifest.generation, manifest.revision, at, &manifest.taken_by), manifest, stored_at: at }
}
