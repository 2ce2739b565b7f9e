//! Snapshots: one is taken beside the loop, from a member's data into the store; others are deleted.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::ids::SnapshotKey;
use quorate_core::observation::{Saved, Taken};
use quorate_core::plan::Outcome;
use quorate_core::snapshot::{Manifest, SnapshotOrder, Stored};
use quorate_core::time::Timestamp;

use super::no_answer;
use crate::simulator::node::VERSION;
use crate::simulator::node::uploads::{Source, Upload};
use crate::simulator::queue::Event;
use crate::simulator::world::World;

const OFF: &str = "snapshots are switched off here, or no store is configured";
const NO_MEMBER: &str = "the snapshot could not be read from etcd";
/// How long after its machine resumed a member has caught up with its leader.
const AWAKE: Duration = Duration::from_secs(5);
const NO_STORE: &str = "the store failed the snapshot";

impl World {
    /// Begins one, unless one is under way already, which will do, as in the daemon.
    pub(super) fn take_snapshot(&mut self, n: usize, order: &SnapshotOrder) -> Outcome {
        if !self.takes_snapshots(n) {
            return self.refused(OFF);
        }
        if self.nodes[n].uploads.taking.is_none() {
            self.read_source(n, order, self.now);
        }
        Outcome::Done
    }

    /// Asks the member, and lets the upload take its time.
    fn read_source(&mut self, n: usize, order: &SnapshotOrder, since: Timestamp) {
        let source = self.source(n, order);
        let end = self.now + if source.is_ok() { self.upload_lasts() } else { self.weather.timeout };
        self.nodes[n].uploads.taking = Some(Upload { order: order.clone(), since, end, source });
        let epoch = self.nodes[n].epoch;
        self.queue.set(end, Event::Upload { node: n, epoch });
    }

    /// The member reports its own identity, and hands out its own data, even if it is behind.
    fn source(&self, n: usize, order: &SnapshotOrder) -> Result<Source, &'static str> {
        let host = self.listening(n, &order.via.url).ok_or(NO_MEMBER)?;
        let (data, run) = self.etcd.servers[host].live().ok_or(NO_MEMBER)?;
        if data.cluster != order.etcd_cluster {
            return Err("etcd is of another cluster than the charter's: no snapshot is taken of it");
        }
        let key = SnapshotKey::of(order.generation, data.revision(), self.now, &self.nodes[n].me.instance);
        // A member whose machine stood still until a moment ago is behind, although no node considered it lost.
        let level = self.etcd.is_level(host, self.now, &self.network) && self.now.since(self.nodes[host].able_since) >= AWAKE;
        Ok(Source { key, host, process: run.since, level, data: Arc::new(data.clone()) })
    }

    /// Mostly a second or two, now and then longer than a change has patience for.
    fn upload_lasts(&mut self) -> Duration {
        let patience = u64::try_from(self.policy.snapshots.change_patience.as_millis()).unwrap_or_default();
        Duration::from_millis(match self.luck.below(10) {
            0 => patience + self.luck.between(500, 30_000),
            1..=2 => self.luck.between(2_000, 20_000),
            _ => self.luck.between(200, 2_000),
        })
    }

    /// It is over, for better or worse.
    pub(crate) fn end_upload(&mut self, n: usize) {
        let Some(upload) = self.nodes[n].uploads.taking.take() else { return };
        // A call waits for a member that has just been started.
        if upload.source.is_err() && self.now < upload.since + self.policy.call_timeout {
            return self.read_source(n, &upload.order, upload.since);
        }
        let trigger = upload.order.trigger;
        let result = upload.source.clone().and_then(|source| self.store_snapshot(n, &upload, source));
        match &result {
            Ok(Saved { key, .. }) => self.tell(n, || format!("snapshot {key} ({trigger}) is in the store")),
            Err(why) => {
                self.stats.snapshots_failed += 1;
                self.tell(n, || format!("no snapshot ({trigger}) after {:?}: {why}", upload.end.since(upload.since)));
            }
        }
        self.nodes[n].uploads.taken = Some(Taken { trigger, since: upload.since, at: self.now, result: result.map_err(str::to_owned) });
    }

    fn store_snapshot(&mut self, n: usize, upload: &Upload, source: Source) -> Result<Saved, &'static str> {
        let process = self.etcd.servers[source.host].run.as_ref().filter(|_| self.etcd.serves(source.host)).map(|run| run.since);
        if process != Some(source.process) || !self.reaches(n, source.host) {
            return Err(NO_MEMBER);
        }
        if self.nodes[n].store_down || self.luck.chance(self.weather.lost_calls) {
            self.store.snapshots_mut().leave_remains(&source.key, self.now);
            return Err(NO_STORE);
        }
        let (key, manifest) = (source.key.clone(), self.manifest(n, upload, &source));
        self.store.snapshots_mut().put(Stored { key: key.clone(), manifest, stored_at: self.now }, source.data);
        self.stats.snapshots_taken += 1;
        self.check_stored(&key, source.level);
        // The manifest was written, and its writer does not know.
        let revision = self.store.snapshots().listing().get(&key).map_or(0, |s| s.manifest.revision);
        if self.luck.chance(self.weather.lost_answers) { Err(NO_STORE) } else { Ok(Saved { key, revision }) }
    }

    fn manifest(&self, n: usize, upload: &Upload, source: &Source) -> Manifest {
        let (me, order) = (&self.nodes[n].me, &upload.order);
        Manifest {
            version: Manifest::VERSION,
            account: me.account.clone(),
            region: me.region.clone(),
            cluster: me.cluster.clone(),
            generation: order.generation,
            etcd_cluster: order.etcd_cluster,
            record: order.record,
            voters: order.voters.clone(),
            revision: source.data.revision(),
            size: source.data.size(),
            sha256: String::new(),
            etcd_version: format!("{VERSION}.16"),
            taken_by: me.instance.clone(),
            taken_at: upload.since,
            trigger: order.trigger,
        }
    }

    /// The agent dies, and with it what it was doing: the data stays without a manifest.
    pub(crate) fn break_off_upload(&mut self, n: usize) {
        let uploads = std::mem::take(&mut self.nodes[n].uploads);
        if let Some(Ok(source)) = uploads.taking.map(|upload| upload.source) {
            self.stats.snapshots_broken_off += 1;
            self.store.snapshots_mut().leave_remains(&source.key, self.now);
        }
    }

    /// Begins to restore one on trial; how it ends is seen when it is looked at.
    pub(super) fn drill_snapshot(&mut self, n: usize, key: &SnapshotKey) -> Outcome {
        self.stats.drills += 1;
        self.nodes[n].uploads.drills.running = Some((key.clone(), self.now));
        Outcome::Done
    }

    /// Deletes them one by one: where the answer is lost, it may be only some of them.
    pub(super) fn prune_snapshots(&mut self, n: usize, keys: &[SnapshotKey], abandoned: &[String]) -> Outcome {
        if self.nodes[n].store_down || self.luck.chance(self.weather.lost_calls) {
            return no_answer();
        }
        let lost = self.luck.chance(self.weather.lost_answers);
        let count = if lost { self.luck.index(keys.len() + 1).unwrap_or(0) } else { keys.len() };
        for key in &keys[..count] {
            self.check_deletion(n, key);
            self.store.snapshots_mut().delete(key);
            self.stats.snapshots_deleted += 1;
        }
        abandoned.iter().filter(|_| !lost).for_each(|at| self.store.snapshots_mut().delete_remains(at));
        if lost { no_answer() } else { Outcome::Done }
    }
}
