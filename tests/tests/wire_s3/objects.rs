//! Single objects: writing, reading, ranges, conditions, deleting, and what stays with them.

use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use object_store::aws::Checksum;
use object_store::path::Path;
use object_store::{Attribute, Error, GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use quorate_lab::s3::Operation;
use reqwest::Method;

use crate::scene::{builder, client, create, get, message, patient, put, raw, refusal, served};

/// Of `hello`: `printf hello | md5sum`.
const HELLO: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

#[tokio::test]
async fn what_was_written_is_read_again() {
    let server = served().await;
    let client = client(&server);
    assert_eq!(put(&client, "a/b c+d%/é.json", "hello").await.unwrap().e_tag.as_deref(), Some(HELLO));
    assert_eq!(get(&client, "a/b c+d%/é.json").await.unwrap(), "hello");
    let meta = client.head(&Path::from("a/b c+d%/é.json")).await.unwrap();
    assert_eq!((meta.size, meta.e_tag.as_deref()), (5, Some(HELLO)));
    let age = server.now().0 / 1000 - meta.last_modified.timestamp() as u64;
    assert!(age <= 5, "it was written just now, and not {age} s ago");
    put(&client, "empty", "").await.unwrap();
    assert_eq!(get(&client, "empty").await.unwrap(), "");
    let asked: Vec<_> = server.log().lines().into_iter().map(|line| (line.operation, line.status)).collect();
    let (written, read) = ((Operation::Put, Some(200)), (Operation::Get, Some(200)));
    assert_eq!(asked, [written, read, (Operation::Head, Some(200)), written, read]);
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing() {
    let server = served().await;
    let missing = client(&server).get(&Path::from("none")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }) && message(&missing).contains("NoSuchKey"), "{}", message(&missing));
    assert!(matches!(client(&server).head(&Path::from("none")).await, Err(Error::NotFound { .. })));
    let elsewhere = builder(&server, "caller", 0).with_bucket_name("other").build().unwrap();
    let missing = put(&elsewhere, "key", "x").await.unwrap_err();
    assert!(message(&missing).contains("NoSuchBucket"), "{}", message(&missing));
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn ranges_are_partial_and_beyond_the_end_is_refused() {
    let server = served().await;
    let client = client(&server);
    let key = Path::from("key");
    put(&client, "key", "0123456789").await.unwrap();
    assert_eq!(client.get_range(&key, 2..5).await.unwrap(), "234");
    for (range, text) in [(GetRange::Offset(7), "789"), (GetRange::Suffix(4), "6789"), (GetRange::Bounded(8..99), "89")] {
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let found = client.get_opts(&key, options).await.unwrap();
        assert_eq!(found.meta.size, 10, "the whole object's");
        assert_eq!(found.bytes().await.unwrap(), text);
    }
    assert!(client.get_range(&key, 10..12).await.is_err());
    let beyond = raw(&server, Method::GET, "/bucket/key", &[("range", "bytes=10-")], "").await.unwrap();
    assert_eq!(beyond.headers()["content-range"], "bytes */10");
    assert_eq!(refusal(beyond).await, (416, "InvalidRange".to_owned()));
}

#[tokio::test]
async fn of_eight_that_create_one_key_at_once_one_wins() {
    let server = served().await;
    let clients: Vec<_> = (0..8).map(|_| client(&server)).collect();
    for round in 0..20 {
        let key = format!("claim/{round}");
        let claims = clients.iter().enumerate().map(|(number, client)| {
            let key = &key;
            async move { (number, create(client, key, &number.to_string()).await) }
        });
        let outcomes = future::join_all(claims).await;
        let won: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(number, _)| number.to_string()).collect();
        assert_eq!(won, [get(&clients[0], &key).await.unwrap()], "round {round}");
        let lost = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Err(Error::AlreadyExists { .. })));
        assert_eq!(lost.count(), 7);
    }
}

#[tokio::test]
async fn an_update_needs_the_tag_of_what_is_there() {
    let server = served().await;
    let client = client(&server);
    let update = async |e_tag: Option<String>, text: &'static str| {
        let mode = PutMode::Update(UpdateVersion { e_tag, version: None });
        client.put_opts(&Path::from("key"), text.into(), PutOptions { mode, ..PutOptions::default() }).await
    };
    assert!(matches!(update(Some(HELLO.to_owned()), "x").await, Err(Error::Precondition { .. })), "there is nothing yet");
    let first = put(&client, "key", "first").await.unwrap().e_tag;
    update(first.clone(), "second").await.unwrap();
    assert!(matches!(update(first, "third").await, Err(Error::Precondition { .. })));
    assert_eq!(get(&client, "key").await.unwrap(), "second");
}

#[tokio::test]
async fn reads_may_depend_on_the_tag() {
    let server = served().await;
    let client = client(&server);
    put(&client, "key", "hello").await.unwrap();
    let get = async |options| client.get_opts(&Path::from("key"), options).await.map(drop);
    get(GetOptions::new().with_if_match(Some(HELLO))).await.unwrap();
    assert!(matches!(get(GetOptions::new().with_if_none_match(Some(HELLO))).await, Err(Error::NotModified { .. })));
    assert!(matches!(get(GetOptions::new().with_if_match(Some("\"other\""))).await, Err(Error::Precondition { .. })));
}

#[tokio::test]
async fn keys_are_deleted_one_by_one_and_many_at_once() {
    let server = served().await;
    let keys = ["a", "b/1", "b/2 & c", "c"];
    keys.iter().for_each(|key| server.write(key, b"x").unwrap());
    let many = stream::iter(["a", "b/2 & c", "none"].map(|key| Ok(Path::from(key)))).boxed();
    let deleted: Vec<_> = client(&server).delete_stream(many).try_collect().await.unwrap();
    assert_eq!(deleted.len(), 3, "one that was not there is deleted too");
    assert_eq!(server.keys(), ["b/1", "c"]);
    let single = builder(&server, "caller", 0).with_disable_bulk_delete(true).build().unwrap();
    for _ in 0..2 {
        single.delete(&Path::from("c")).await.unwrap();
    }
    assert_eq!(server.keys(), ["b/1"]);
    assert_eq!(server.log().operations(), [Operation::DeleteMany, Operation::Delete, Operation::Delete]);
}

#[tokio::test]
async fn more_than_a_thousand_keys_at_once_are_refused() {
    let server = served().await;
    for (keys, status) in [(0, 400), (1000, 200), (1001, 400)] {
        let objects: String = (0..keys).map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
        let body = format!("<Delete>{objects}<Quiet>true</Quiet></Delete>");
        let answer = raw(&server, Method::POST, "/bucket?delete", &[], &body).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{keys}");
        assert!(!answer.text().await.unwrap().contains("<Deleted>"), "it is to be quiet");
    }
}

#[tokio::test]
async fn encryption_and_attributes_stay_with_an_object() {
    let server = served().await;
    let encrypting = builder(&server, "caller", 0).with_sse_kms_encryption("arn:aws:kms:eu-central-1:1:key/k").build().unwrap();
    let attributes = [(Attribute::ContentType, "application/json"), (Attribute::Metadata("made-by".into()), "a test")];
    let options = PutOptions { attributes: attributes.into_iter().collect(), ..PutOptions::default() };
    encrypting.put_opts(&Path::from("key"), "x".into(), options).await.unwrap();
    put(&client(&server), "plain", "x").await.unwrap();
    let headers = server.object("key").unwrap().headers;
    assert_eq!(headers["x-amz-server-side-encryption"], "aws:kms");
    assert_eq!(headers["x-amz-server-side-encryption-aws-kms-key-id"], "arn:aws:kms:eu-central-1:1:key/k");
    assert!(!server.object("plain").unwrap().headers.contains_key("x-amz-server-side-encryption"));
    let found = encrypting.get(&Path::from("key")).await.unwrap();
    assert_eq!(found.attributes.get(&Attribute::Metadata("made-by".into())).unwrap().as_ref(), "a test");
    let answered = raw(&server, Method::HEAD, "/bucket/key", &[], "").await.unwrap();
    assert_eq!(answered.headers()["x-amz-server-side-encryption"], "aws:kms");
    assert_eq!(answered.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn bytes_that_are_not_what_their_digest_says_are_refused() {
    let server = served().await;
    let checking = builder(&server, "caller", 0).with_checksum_algorithm(Checksum::SHA256).build().unwrap();
    put(&checking, "key", "hello").await.unwrap();
    let zeros = "0".repeat(64);
    for (name, digest, code) in [
        ("x-amz-content-sha256", zeros.as_str(), "XAmzContentSHA256Mismatch"),
        ("content-md5", "XrY7u+Ae7tCTyyK7j1rNww==", "BadDigest"),
        ("x-amz-checksum-sha256", "XrY7u+Ae7tCTyyK7j1rNww==", "BadDigest"),
    ] {
        let refused = raw(&server, Method::PUT, "/bucket/other", &[(name, digest)], "hello").await.unwrap();
        assert_eq!(refusal(refused).await, (400, code.to_owned()), "{name}");
    }
    assert_eq!(server.keys(), ["key"]);
}

#[tokio::test]
async fn what_is_not_modelled_is_refused_and_so_is_who_does_not_sign() {
    let server = served().await;
    server.write("key", b"x").unwrap();
    for (method, path, headers) in [
        (Method::GET, "/bucket", vec![]),
        (Method::GET, "/bucket/key?acl", vec![]),
        (Method::PUT, "/bucket/key?tagging", vec![]),
        (Method::GET, "/bucket?list-type=2&versions", vec![]),
        (Method::PUT, "/bucket/copy", vec![("x-amz-copy-source", "bucket/key")]),
        (Method::PUT, "/bucket/key", vec![("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")]),
        (Method::PUT, "/bucket/key", vec![("if-none-match", "\"tag\"")]),
    ] {
        let refused = raw(&server, method.clone(), path, &headers, "").await.unwrap();
        assert_eq!(refusal(refused).await, (501, "NotImplemented".to_owned()), "{method} {path} {headers:?}");
    }
    assert_eq!(server.keys(), ["key"]);
    let unsigned = builder(&server, "caller", 0).with_skip_signature(true).build().unwrap();
    assert!(matches!(get(&unsigned, "key").await, Err(Error::PermissionDenied { .. })));
}

#[tokio::test]
async fn a_large_object_comes_whole() {
    let server = served().await;
    let text = "0123456789abcdef".repeat(1 << 18);
    put(&patient(&server, 0), "large", &text).await.unwrap();
    assert!(get(&client(&server), "large").await.unwrap() == text);
}
