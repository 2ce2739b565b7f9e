use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::snapshot::{Manifest, Stray, Trigger};
use crate::transport::Transport;

/// In the middle of an hour and of a day.
const NOW: Timestamp = Timestamp(1_763_728_200_000);

fn record(origin: Origin) -> Record {
    Record {
        number: 9,
        previous: None,
        account: "1".into(),
        region: "eu-central-1".into(),
        cluster: "prod".into(),
        generation: Generation(2),
        origin,
        state: State::Established,
        ever_established: Some(Generation(2)),
        etcd_cluster: Some(EtcdClusterId(2)),
        voters: Vec::new(),
        ancestors: Vec::new(),
        transport: Transport::Plain,
        authority: None,
        rotation: None,
    }
}

/// A snapshot of this generation and age; its revision grows with time.
fn aged(generation: u64, age: Duration) -> Stored {
    let at = NOW - age;
    let manifest = Manifest {
        version: Manifest::VERSION,
        account: "1".into(),
        region: "eu-central-1".into(),
        cluster: "prod".into(),
        generation: Generation(generation),
        etcd_cluster: EtcdClusterId(generation),
        record: 1,
        voters: Vec::new(),
        revision: at.0 / 1000,
        size: 4128,
        sha256: String::new(),
        etcd_version: "3.5.21".into(),
        taken_by: "i-a".into(),
        taken_at: at,
        trigger: Trigger::Interval,
    };
    Stored { key: SnapshotKey::of(manifest.generation, manifest.revision, at, &manifest.taken_by), manifest, stored_at: at }
}

fn listing(snapshots: Vec<Stored>) -> Listing {
    Listing { snapshots, strays: Vec::new() }.sorted()
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

fn few() -> Retention {
    Retention { at_least: 1, ..Retention::default() }
}

/// The ages in minutes of those that are left.
fn left(retention: &Retention, listing: &Listing, record: &Record) -> Vec<u64> {
    let expired: BTreeSet<_> = retention.expired(listing, record).into_iter().collect();
    let kept = listing.snapshots.iter().filter(|s| !expired.contains(&s.key));
    kept.map(|s| NOW.since(s.stored_at).as_secs() / 60).collect()
}

#[test]
fn all_of_the_last_hours_then_one_an_hour_then_one_a_day_then_none() {
    let every_half_hour = (0..=60 * 48).map(|i| aged(2, minutes(30 * i))).collect();
    let left = left(&few(), &listing(every_half_hour), &record(Origin::Empty));
    let between = |from: Duration, to: Duration| left.iter().filter(|m| minutes(**m) >= from && minutes(**m) < to).count();
    assert_eq!(between(Duration::ZERO, HOUR * 6), 12);
    assert_eq!(between(HOUR * 6, DAY * 7), 7 * 24 - 6);
    assert_eq!(between(DAY * 7, DAY * 35), 28);
    assert_eq!(between(DAY * 35, DAY * 99), 0);
}

#[test]
fn never_fewer_than_the_operator_wants_however_old() {
    let old = (0..30).map(|i| aged(2, DAY * (100 + i))).chain([aged(2, Duration::ZERO)]).collect();
    let retention = Retention { at_least: 5, ..Retention::default() };
    assert_eq!(left(&retention, &listing(old), &record(Origin::Empty)).len(), 5);
}

#[test]
fn the_last_of_another_generation_and_the_one_that_the_charter_names_stay() {
    let (named, old) = (aged(1, DAY * 300), aged(1, DAY * 200));
    let all = listing(vec![aged(1, DAY * 301), named.clone(), aged(1, DAY * 299), old, aged(2, Duration::ZERO)]);
    let stays = |origin| left(&few(), &all, &record(origin)).iter().map(|m| m / 60 / 24).collect::<Vec<_>>();
    assert_eq!(stays(Origin::Empty), [200, 0]);
    assert_eq!(stays(Origin::Snapshot { key: named.key.clone() }), [300, 200, 0]);
}

#[test]
fn a_cluster_that_has_taken_none_for_long_loses_none() {
    let all = listing((0..20).map(|i| aged(2, DAY * 400 + minutes(i))).collect());
    assert_eq!(few().expired(&all, &record(Origin::Empty)), []);
}

#[test]
fn remains_of_an_upload_go_after_a_day_and_nothing_else_that_is_no_snapshot() {
    let stray = |age, why| Stray { at: format!("{age:?}{why:?}"), stored_at: NOW - age, why };
    let young = stray(HOUR, StrayKind::Unfinished);
    let old = stray(DAY, StrayKind::Unfinished);
    let strays = vec![young, old.clone(), stray(DAY * 9, StrayKind::Foreign("x".into())), stray(DAY * 9, StrayKind::Broken("x".into()))];
    assert_eq!(abandoned(&Listing { snapshots: vec![aged(2, Duration::ZERO)], strays }), [old.at]);
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, rng_seed: RngSeed::Fixed(4), ..Config::default() })]

    /// Whatever is deleted, the newest of each generation stays, and enough of the current one.
    #[test]
    fn nothing_that_counts_is_ever_deleted(ages in prop::collection::btree_set((1..4_u64, 0..2000_u64), 1..40), at_least in 0..12_usize) {
        let all = listing(ages.iter().map(|(g, hours)| aged(*g, HOUR * u32::try_from(*hours).unwrap())).collect());
        let retention = Retention { at_least, ..Retention::default() };
        let expired: BTreeSet<_> = retention.expired(&all, &record(Origin::Empty)).into_iter().collect();
        for generation in 1..4 {
            let newest = all.newest_of(Generation(generation), EtcdClusterId(generation));
            prop_assert!(newest.is_none_or(|s| !expired.contains(&s.key)));
        }
        let current = |s: &&Stored| s.manifest.generation == Generation(2);
        let (had, goes) = (all.snapshots.iter().filter(current).count(), all.snapshots.iter().filter(current).filter(|s| expired.contains(&s.key)).count());
        prop_assert!(had - goes >= at_least.min(had));
        prop_assert!(all.snapshots.iter().all(|s| NOW.since(s.stored_at) >= retention.all || !expired.contains(&s.key)));
    }
}
