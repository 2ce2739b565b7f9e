//! Each fault, as the client meets it.

use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _};
use quorate_lab::s3::{Fault, Operation, Rule, S3Server, Scope};
use reqwest::Method;

use crate::scene::{LIMIT, client, client_of, create, get, message, patient, put, raw, refusal, served};

const TEXT: &str = "0123456789";

async fn with(scope: impl Into<Scope>, fault: Fault) -> S3Server {
    let server = served().await;
    server.write("key", TEXT.as_bytes()).unwrap();
    server.faults().add(Rule::new(scope, fault));
    server
}

#[tokio::test]
async fn a_status_is_said_in_s3s_words_and_nothing_happens() {
    for (status, code) in
        [(403, "AccessDenied"), (409, "ConditionalRequestConflict"), (500, "InternalError"), (503, "SlowDown"), (507, "XMinioStorageFull")]
    {
        let server = with(Operation::Put, Fault::Status(status)).await;
        let refused = raw(&server, Method::PUT, "/bucket/new", &[], "x").await.unwrap();
        assert_eq!(refusal(refused).await, (status, code.to_owned()));
        assert_eq!(server.keys(), ["key"]);
        assert_eq!(server.log().of(Operation::Put)[0].status, Some(status));
    }
}

#[tokio::test]
async fn a_client_makes_of_a_status_what_it_would_of_aws() {
    let server = with(Operation::Put, Fault::Status(409)).await;
    assert!(matches!(create(&client(&server), "new", "x").await, Err(Error::AlreadyExists { .. })));
    let server = with(Operation::Put, Fault::Status(403)).await;
    assert!(matches!(put(&client(&server), "new", "x").await, Err(Error::PermissionDenied { .. })));
    let server = served().await;
    let rule = server.faults().add(Rule::new(Operation::Put, Fault::Status(503)).times(2));
    put(&patient(&server, 2), "new", "x").await.unwrap();
    assert_eq!(server.faults().struck(rule), 2, "it asked again");
    let answered: Vec<_> = server.log().lines().into_iter().map(|line| line.status).collect();
    assert_eq!(answered, [Some(503), Some(503), Some(200)]);
}

#[tokio::test]
async fn a_status_afterwards_comes_too_late() {
    let server = with(Operation::Put, Fault::StatusAfterwards(500)).await;
    assert!(create(&client(&server), "new", "x").await.is_err());
    assert_eq!(server.read("new").unwrap(), b"x");
}

#[tokio::test]
async fn who_hangs_up_has_done_nothing_and_who_loses_the_answer_has() {
    for (fault, keys) in [(Fault::HangUp, vec!["key"]), (Fault::LoseAnswer, vec!["key", "new"])] {
        let server = with(Operation::Put, fault.clone()).await;
        let error = put(&client(&server), "new", "x").await.unwrap_err();
        assert!(!message(&error).contains("status code"), "{fault:?}: {}", message(&error));
        assert_eq!((server.keys(), server.log().lines()[0].status), (keys.into_iter().map(str::to_owned).collect(), None), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_makes_a_client_meet_its_own_object() {
    let server = served().await;
    server.faults().add(Rule::new(Operation::Put, Fault::LoseAnswer).times(1));
    let outcome = create(&patient(&server, 2), "new", "x").await;
    assert!(matches!(outcome, Err(Error::AlreadyExists { .. })), "{outcome:?}");
    assert_eq!(server.read("new").unwrap(), b"x");
}

#[tokio::test]
async fn whoever_hangs_is_given_up() {
    for (fault, keys) in [(Fault::Hang, 1), (Fault::HangAfterwards, 2)] {
        let server = with(Operation::Put, fault.clone()).await;
        assert!(put(&client(&server), "new", "x").await.is_err(), "{fault:?}");
        assert_eq!((server.keys().len(), server.log().lines()[0].status), (keys, None), "{fault:?}");
    }
}

#[tokio::test]
async fn what_is_slow_comes_true_though_the_client_gave_up() {
    let server = with(Operation::Put, Fault::Delay(LIMIT + Duration::from_millis(300))).await;
    assert!(put(&client(&server), "new", "late").await.is_err());
    assert_eq!(server.keys(), ["key"], "not yet");
    let mut turns = tokio::time::interval(Duration::from_millis(20));
    let written = async {
        while server.keys().len() < 2 {
            turns.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), written).await.expect("a received request was not carried out");
    assert_eq!(server.read("new").unwrap(), b"late");
}

#[tokio::test]
async fn a_delay_adds_to_another_fault() {
    let server = with(Operation::Get, Fault::Delay(Duration::from_millis(100))).await;
    server.faults().add(Rule::new(Operation::Get, Fault::Status(500)).times(1));
    let before = server.now();
    assert!(get(&client(&server), "key").await.is_err());
    assert!(server.now() >= before + Duration::from_millis(100));
    assert_eq!(get(&client(&server), "key").await.unwrap(), TEXT);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let server = with(Operation::Get, Fault::Truncate).await;
    assert!(get(&client(&server), "key").await.is_err());
    server.faults().clear();
    server.faults().add(Rule::new(Operation::Get, Fault::Truncate).times(1));
    server.log().forget();
    assert_eq!(get(&patient(&server, 1), "key").await.unwrap(), TEXT, "the client asks for the rest");
    let answered: Vec<_> = server.log().lines().into_iter().map(|line| line.status).collect();
    assert_eq!(answered, [Some(200), Some(206)]);
}

#[tokio::test]
async fn a_shorter_body_looks_whole() {
    let server = with(Operation::Get, Fault::Shorten).await;
    let found = client(&server).get(&Path::from("key")).await.unwrap();
    assert_eq!(found.meta.size, 5);
    assert_eq!(found.bytes().await.unwrap(), "01234");
}

#[tokio::test]
async fn a_corrupt_body_differs_in_one_byte() {
    let server = with(Operation::Get, Fault::Corrupt).await;
    let found = client(&server).get(&Path::from("key")).await.unwrap().bytes().await.unwrap();
    let differ: Vec<_> = found.iter().zip(TEXT.bytes()).enumerate().filter(|(_, (one, other))| **one != *other).map(|(at, _)| at).collect();
    assert_eq!((found.len(), differ), (10, vec![5]));
}

#[tokio::test]
async fn an_impostor_answers_everything_with_its_page() {
    let server = with(Scope::everything(), Fault::Impostor).await;
    assert!(get(&client(&server), "none").await.unwrap().contains("airport"));
    let listed: Vec<_> = client(&server).list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 0, "the client mistakes any XML for a list, here an empty one");
}

#[tokio::test]
async fn a_rule_strikes_what_it_names_and_nothing_else() {
    let server = served().await;
    for key in ["a/1.json", "a/2.db", "b/1.json"] {
        server.write(key, b"x").unwrap();
    }
    let scope = Scope::of([Operation::Get, Operation::Head]).prefix("a/").suffix(".json").caller("one");
    let rule = server.faults().add(Rule::new(scope, Fault::Status(403)));
    let (one, other) = (client_of(&server, "one"), client_of(&server, "other"));
    assert!(get(&one, "a/1.json").await.is_err() && one.head(&Path::from("a/1.json")).await.is_err());
    for (client, key) in [(&one, "a/2.db"), (&one, "b/1.json"), (&other, "a/1.json")] {
        assert_eq!(get(client, key).await.unwrap(), "x", "{key}");
    }
    put(&one, "a/1.json", "new").await.unwrap();
    server.faults().remove(rule);
    assert_eq!(get(&one, "a/1.json").await.unwrap(), "new");
    assert_eq!(server.faults().struck(rule), 2);
}

#[tokio::test]
async fn a_rule_ends_with_its_time() {
    let server = served().await;
    server.write("key", b"x").unwrap();
    server.faults().add(Rule::new(Operation::Get, Fault::Status(500)).until(server.now() + Duration::from_secs(3600)));
    assert!(get(&client(&server), "key").await.is_err());
    server.skip(Duration::from_secs(3600));
    assert_eq!(get(&client(&server), "key").await.unwrap(), "x");
}

#[tokio::test]
async fn many_keys_at_once_are_struck_by_any_of_them() {
    let server = served().await;
    server.write("a/1", b"x").unwrap();
    server.faults().add(Rule::new(Scope::of([Operation::DeleteMany]).prefix("a/"), Fault::Status(503)));
    assert!(client(&server).delete(&Path::from("a/1")).await.is_err());
    client(&server).delete(&Path::from("b")).await.unwrap();
    assert_eq!(server.keys(), ["a/1"]);
}
