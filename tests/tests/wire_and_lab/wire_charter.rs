//! The charter's store: one contract, kept by memory, by a directory, and by S3 through object_store's real client.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use quorate::adapters::object_store::{CharterStore, StoreError};
use quorate_core::charter::{ListedVoter, Record, State, StoreView};
use quorate_core::ids::{Generation, MemberId};
use quorate_core::plan::Outcome;
use quorate_lab::s3::{Fault, Operation, Rule, S3Config, S3Server, Scope};

use crate::fixtures::{self, me};

const LIMIT: Duration = Duration::from_secs(5);

/// Longer than any limit that a test sets.
const PATIENCE: Duration = Duration::from_secs(10);

/// Record `number` of a chain that is the same in every test.
fn record(number: u64) -> Record {
    Record {
        number,
        previous: (number > 1).then(|| record(number - 1).digest()),
        ever_established: Some(Generation(1)),
        voters: vec![ListedVoter { instance: "i-1".into(), member: MemberId(number) }],
        ..fixtures::record(State::Established)
    }
}

fn other(number: u64) -> Record {
    Record { voters: Vec::new(), ..record(number) }
}

fn numbers(view: &StoreView) -> Vec<u64> {
    let StoreView::Charter(log) = view else { panic!("no charter: {view:?}") };
    log.records.iter().map(|r| r.number).collect()
}

fn open(url: &str) -> CharterStore {
    CharterStore::open(Some(url), &BTreeMap::new(), &me(), LIMIT).unwrap()
}

fn directory(dir: &Path) -> CharterStore {
    open(&format!("file://{}", dir.display()))
}

/// Its pages are small, so every longer list has several.
async fn served() -> S3Server {
    S3Server::start(S3Config { page: 7, ..S3Config::default() }, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

fn s3(server: &S3Server, limit: Duration) -> CharterStore {
    CharterStore::open(Some("s3://bucket/some/prefix"), &s3_settings(server), &me(), limit).unwrap()
}

fn s3_settings(server: &S3Server) -> BTreeMap<String, String> {
    let settings = [("endpoint", server.url()), ("access_key_id", "AKIA".into()), ("secret_access_key", "secret".into())];
    settings.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

/// What every kind of store must do.
async fn keeps_the_contract(store: CharterStore) {
    assert_eq!(store.read(None).await.unwrap(), StoreView::Absent);
    assert_eq!(store.create(&record(1)).await, Outcome::Done);
    assert_eq!(store.create(&record(1)).await, Outcome::Done, "the same record again is an answer that was lost");
    assert!(matches!(store.create(&other(1)).await, Outcome::Refused(why) if why.contains("record 1")));
    assert_eq!(numbers(&store.read(None).await.unwrap()), [1]);
    for number in 2..=12 {
        assert_eq!(store.create(&record(number)).await, Outcome::Done);
    }
    let StoreView::Charter(log) = store.read(None).await.unwrap() else { panic!("no charter") };
    assert!(log.is_chain() && log.records.len() == 12);
    assert_eq!(log.highest(), Some(&record(12)));
    assert_eq!(numbers(&store.read(Some(&record(12))).await.unwrap()), [12], "the remembered one is included");
    assert_eq!(numbers(&store.read(Some(&record(10))).await.unwrap()), [10, 11, 12]);
    assert_eq!(numbers(&store.read(Some(&record(15))).await.unwrap()), (1..=12).collect::<Vec<_>>(), "all there is, if it vanished");
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps_the_contract(open("memory://")).await;
}

#[tokio::test]
async fn a_directory_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(directory(dir.path())).await;
}

#[tokio::test]
async fn s3_keeps_the_contract() {
    let server = served().await;
    keeps_the_contract(s3(&server, LIMIT)).await;
    assert!(server.keys().contains(&"some/prefix/prod/charter/00000000000000000012.json".to_owned()), "{:?}", server.keys());
}

#[tokio::test]
async fn without_a_url_nothing_is_configured_and_nothing_created() {
    let store = CharterStore::open(None, &BTreeMap::new(), &me(), LIMIT).unwrap();
    assert_eq!(store.read(None).await.unwrap(), StoreView::NotConfigured);
    assert!(matches!(store.create(&record(1)).await, Outcome::Refused(_)));
}

#[tokio::test]
async fn foreign_objects_are_not_an_absent_charter_but_other_clusters_are_none_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let store = directory(dir.path());
    std::fs::create_dir_all(dir.path().join("prod-2/charter")).unwrap();
    std::fs::write(dir.path().join("prod-2/charter/00000000000000000001.json"), "{}").unwrap();
    std::fs::write(dir.path().join("notes"), "").unwrap();
    assert_eq!(store.read(None).await.unwrap(), StoreView::Absent);

    // Left by a create that a crash cut short: no object, and no reason to halt.
    std::fs::create_dir_all(dir.path().join("prod/charter")).unwrap();
    std::fs::write(dir.path().join("prod/charter/00000000000000000001.json#1"), "half").unwrap();
    assert_eq!(store.read(None).await.unwrap(), StoreView::Absent);
    assert_eq!(store.read(Some(&record(3))).await.unwrap(), StoreView::Absent);

    for foreign in ["prod/snapshots/1.db", "prod/charter/1.json", "prod/charter/00000000000000000001.json.bak", "prod/readme"] {
        let path = dir.path().join(foreign);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "x").unwrap();
        assert_eq!(store.read(None).await.unwrap(), StoreView::Foreign { example: foreign.into() });
        assert!(matches!(store.read(Some(&record(3))).await.unwrap(), StoreView::Foreign { .. }));
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::write(dir.path().join("prod/readme"), "x").unwrap();
    assert_eq!(store.create(&record(1)).await, Outcome::Done);
    assert_eq!(numbers(&store.read(None).await.unwrap()), [1], "beside a charter, other objects are welcome");
}

#[tokio::test]
async fn a_malformed_record_is_an_error_that_names_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let store = directory(dir.path());
    store.create(&record(1)).await;
    let path = dir.path().join("prod/charter/00000000000000000002.json");
    let misnumbered = serde_json::to_string(&record(1)).unwrap();
    let long = " ".repeat(300 << 10);
    for text in ["", "{}", "{\"number\":2", misnumbered.as_str(), long.as_str()] {
        std::fs::write(&path, text).unwrap();
        let error = store.read(None).await.unwrap_err();
        assert!(matches!(&error, StoreError::Malformed { key, .. } if key == "prod/charter/00000000000000000002.json"), "{error}");
    }
}

#[tokio::test]
async fn a_record_that_was_tampered_with_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = directory(dir.path());
    store.create(&record(1)).await;
    store.read(None).await.unwrap();
    let path = dir.path().join("prod/charter/00000000000000000001.json");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, serde_json::to_vec(&other(1)).unwrap()).unwrap();
    let StoreView::Charter(log) = store.read(Some(&record(1))).await.unwrap() else { panic!("no charter") };
    assert_eq!(log.number(1), Some(&other(1)));
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_unreadable_and_not_empty_and_nobody_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("mount");
    let store = directory(&root);
    for remembered in [None, Some(&record(1))] {
        let error = store.read(remembered).await.unwrap_err();
        assert!(matches!(error, StoreError::Absent { .. }), "{error}");
    }
    assert!(matches!(store.create(&record(1)).await, Outcome::Unclear(_)));
    assert!(!root.exists(), "the store was made");
    // A store that was mounted late is used, and one that disappears again is missed.
    std::fs::create_dir(&root).unwrap();
    assert_eq!((store.read(None).await.unwrap(), store.create(&record(1)).await), (StoreView::Absent, Outcome::Done));
    std::fs::rename(&root, dir.path().join("gone")).unwrap();
    let error = store.read(Some(&record(1))).await.unwrap_err();
    assert!(matches!(error, StoreError::Absent { .. }), "{error}");
}

#[tokio::test]
async fn a_newcomer_gets_the_end_of_a_long_charter() {
    let server = served().await;
    let mut previous = record(1);
    for number in 1..=250 {
        let next = Record { number, previous: (number > 1).then(|| previous.digest()), ..record(1) };
        server.write(&format!("some/prefix/prod/charter/{number:020}.json"), &serde_json::to_vec(&next).unwrap()).unwrap();
        previous = next;
    }
    let StoreView::Charter(log) = s3(&server, LIMIT).read(None).await.unwrap() else { panic!("no charter") };
    assert_eq!((log.records.len(), log.records[0].number), (100, 151));
    assert!(log.is_chain());
}

#[tokio::test]
async fn in_steady_state_one_list_is_all() {
    let server = served().await;
    let store = s3(&server, LIMIT);
    for number in 1..=5 {
        store.create(&record(number)).await;
    }
    store.read(None).await.unwrap();
    server.log().forget();
    for _ in 0..3 {
        assert_eq!(numbers(&store.read(Some(&record(5))).await.unwrap()), [5]);
    }
    assert_eq!(server.log().operations(), [Operation::List; 3]);
    store.create(&record(6)).await;
    server.log().forget();
    assert_eq!(numbers(&store.read(Some(&record(5))).await.unwrap()), [5, 6]);
    assert_eq!(server.log().operations(), [Operation::List, Operation::Get]);
}

#[tokio::test]
async fn a_lost_answer_is_found_out() {
    let server = served().await;
    let store = s3(&server, Duration::from_millis(600));
    server.faults().add(Rule::new(Operation::Put, Fault::StatusAfterwards(500)).times(1));
    assert_eq!(store.create(&record(1)).await, Outcome::Done, "retried, taken, and found to be its own");
    server.faults().add(Rule::new(Operation::Put, Fault::HangAfterwards).times(1));
    assert!(matches!(store.create(&record(2)).await, Outcome::Unclear(_)));
    assert_eq!(store.create(&record(2)).await, Outcome::Done);
    server.faults().add(Rule::new(Operation::Put, Fault::HangAfterwards).times(1));
    assert!(matches!(store.create(&record(3)).await, Outcome::Unclear(_)));
    assert!(matches!(store.create(&other(3)).await, Outcome::Refused(_)), "another's record is not mistaken for ours");
}

#[tokio::test]
async fn a_conflict_without_an_object_is_unclear() {
    let server = served().await;
    server.faults().add(Rule::new(Operation::Put, Fault::Status(409)).times(1));
    let outcome = s3(&server, LIMIT).create(&record(1)).await;
    assert!(matches!(outcome, Outcome::Unclear(_)), "{outcome:?}");
}

#[tokio::test]
async fn refusals_are_refusals_and_trouble_is_never_an_empty_store() {
    let server = served().await;
    let store = s3(&server, Duration::from_millis(900));
    store.create(&record(1)).await;
    let denied = server.faults().add(Rule::new(Operation::Put, Fault::Status(403)));
    assert!(matches!(store.create(&record(2)).await, Outcome::Refused(_)));
    server.faults().remove(denied);
    server.faults().add(Rule::new(Operation::Put, Fault::Status(503)));
    assert!(matches!(store.create(&record(2)).await, Outcome::Unclear(_)));
    for scope in [Scope::from(Operation::List), Scope::of([Operation::Get, Operation::Head])] {
        for fault in [Fault::Status(403), Fault::Status(404), Fault::Status(503), Fault::Truncate, Fault::Hang, Fault::Impostor] {
            let rule = server.faults().add(Rule::new(scope.clone(), fault.clone()));
            let seen = tokio::time::timeout(PATIENCE, store.read(None)).await.expect("it hung");
            assert!(seen.is_err(), "{scope:?} {fault:?}: {seen:?}");
            assert!(server.faults().struck(rule) > 0, "{scope:?} {fault:?}");
            server.faults().remove(rule);
        }
    }
    assert_eq!(numbers(&store.read(None).await.unwrap()), [1]);
}

#[tokio::test]
async fn a_captive_portal_is_no_empty_store() {
    let server = served().await;
    server.faults().add(Rule::new(Scope::everything(), Fault::Impostor));
    let error = s3(&server, LIMIT).read(None).await.unwrap_err();
    assert!(matches!(error, StoreError::Impostor { .. }), "{error}");
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_an_error_within_the_limit() {
    let settings = [("endpoint", "http://127.7.2.99:9"), ("access_key_id", "a"), ("secret_access_key", "s")];
    let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect();
    let store = CharterStore::open(Some("s3://bucket"), &settings, &me(), Duration::from_secs(1)).unwrap();
    let error = tokio::time::timeout(PATIENCE, store.read(None)).await.expect("it hung").unwrap_err();
    assert!(error.to_string().contains("s3://bucket"), "{error}");
}
