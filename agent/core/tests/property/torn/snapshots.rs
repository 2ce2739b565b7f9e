//! Snapshots in a torn world: of any generation and cluster, listed or not, with the remains of uploads among them.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::ids::{Generation, SnapshotKey};
use quorate_core::observation::{Drilled, Drills, Saved, SnapshotsView, Taken};
use quorate_core::policy::OnTotalLoss;
use quorate_core::reading::Reading;
use quorate_core::snapshot::{Listing, Manifest, Stored, Stray, StrayKind, Trigger};
use quorate_core::time::Timestamp;

use crate::property::dice::Dice;
use crate::property::world::{NOW, World, cluster, instance};

pub(super) fn snapshots(w: &mut World, dice: &mut Dice<'_>) {
    w.policy.snapshots.retention.at_least = dice.below(4);
    if dice.one_in(6) {
        return;
    }
    let snapshots = (0..dice.below(8)).map(|_| stored(w, dice)).collect();
    let strays = (0..dice.below(3)).map(|_| stray(dice)).collect();
    let listing = Arc::new(Listing { snapshots, strays }.sorted());
    let stored = if dice.one_in(8) { Reading::Stale(listing, NOW - HOUR) } else { Reading::Fresh(listing, NOW) };
    let keys: Vec<_> = stored.last().iter().flat_map(|l| &l.snapshots).map(|s| s.key.clone()).collect();
    let pick = |dice: &mut Dice<'_>| keys.get(dice.below(keys.len().max(1))).cloned();
    let fetched = pick(dice).filter(|_| !dice.one_in(4));
    if dice.one_in(3) {
        let refused = pick(dice).map(|key| (key, "its bytes differ".to_owned()));
        w.memory.snapshots.refused.extend(refused);
    }
    w.policy.on_total_loss = if dice.one_in(6) { OnTotalLoss::Halt } else { OnTotalLoss::Restore };
    let taken = dice.flip().then(|| taken(dice));
    w.memory.snapshots.covering_all = taken.as_ref().and_then(|t: &Taken| t.result.clone().ok()).filter(|_| dice.flip());
    let drills = drills(w, pick(dice), dice);
    w.seen.snapshots = SnapshotsView { stored, fetched, taken, drills, ..SnapshotsView::none("") };
}

fn drills(w: &mut World, key: Option<SnapshotKey>, dice: &mut Dice<'_>) -> Drills {
    w.policy.snapshots.drill_interval = dice.one_in(2).then_some(HOUR * 24);
    let mut drills = Drills::default();
    let Some(key) = key else { return drills };
    if dice.one_in(2) {
        let failed = dice.one_in(3).then(|| "too little room".to_owned());
        drills.end(Drilled { key: key.clone(), revision: 1, at: age(dice), failed });
    }
    drills.running = dice.one_in(4).then_some((key, NOW));
    drills
}

const HOUR: Duration = Duration::from_secs(3600);

fn taken(dice: &mut Dice<'_>) -> Taken {
    let saved = Saved { key: "final".into(), revision: 7 };
    let trigger = *dice.pick(&[Trigger::Final, Trigger::Final, Trigger::Interval]);
    let result = if dice.one_in(5) { Err("the store did not answer".to_owned()) } else { Ok(saved) };
    Taken { trigger, since: NOW - Duration::from_secs(3), at: NOW - Duration::from_secs(1), result }
}

fn age(dice: &mut Dice<'_>) -> Timestamp {
    NOW - HOUR * *dice.pick(&[0, 1, 2, 7, 30, 31, 200, 201, 900])
}

fn stored(w: &World, dice: &mut Dice<'_>) -> Stored {
    let me = &w.seen.me;
    let at = age(dice);
    let manifest = Manifest {
        version: Manifest::VERSION,
        account: me.account.clone(),
        region: me.region.clone(),
        cluster: me.cluster.clone(),
        generation: Generation(1 + dice.below(3) as u64),
        etcd_cluster: cluster(dice.below(2)),
        record: 1,
        voters: Vec::new(),
        revision: 1 + dice.below(5) as u64,
        size: 64,
        sha256: "0".repeat(64),
        etcd_version: "3.4.23".to_owned(),
        taken_by: instance(dice.below(3)),
        taken_at: at,
        trigger: Trigger::Interval,
    };
    Stored { key: SnapshotKey::of(manifest.generation, manifest.revision, at, &manifest.taken_by), manifest, stored_at: at }
}

fn stray(dice: &mut Dice<'_>) -> Stray {
    let why = match dice.below(3) {
        0 => StrayKind::Unfinished,
        1 => StrayKind::Broken("it has another size".into()),
        _ => StrayKind::Foreign("it is of cluster other".into()),
    };
    let at = age(dice);
    Stray { at: format!("snapshots/{}-{why:?}", at.0), stored_at: at, why }
}
