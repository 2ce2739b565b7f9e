//! The store, as an operator looks into it.

use std::path::Path;

use quorate_lab::s3::{Fault, Grant, Operation, Rule, S3Config, S3Server, Scope};
use serde_json::Value;

use super::{Answer, missing, parsed, run};

async fn served(test: &str) -> Option<S3Server> {
    if missing(test).await {
        return None;
    }
    Some(S3Server::start(S3Config { page: 3, ..S3Config::default() }, ([127, 0, 0, 1], 0).into()).await.unwrap())
}

async fn aws(server: &S3Server, command: &str) -> Answer {
    parsed(run(&server.url(), "operator", command).await)
}

fn file(dir: &Path, name: &str, bytes: &[u8]) -> String {
    std::fs::write(dir.join(name), bytes).unwrap();
    dir.join(name).display().to_string()
}

#[tokio::test]
async fn it_creates_once_reads_and_deletes() {
    let Some(server) = served("it_creates_once_reads_and_deletes").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let (hello, back) = (file(dir.path(), "hello", b"hello"), file(dir.path(), "back", b""));
    let create = format!("s3api put-object --bucket bucket --key a/1 --if-none-match * --body {hello}");
    assert_eq!(aws(&server, &create).await.unwrap()["ETag"], "\"5d41402abc4b2a76b9719d911017c592\"");
    let refusal = aws(&server, &create).await.unwrap_err();
    assert!(refusal.contains("(PreconditionFailed)"), "{refusal}");
    assert_eq!(aws(&server, "s3api head-object --bucket bucket --key a/1").await.unwrap()["ContentLength"], 5);
    aws(&server, &format!("s3api get-object --bucket bucket --key a/1 --range bytes=1-3 {back}")).await.unwrap();
    assert_eq!(std::fs::read(&back).unwrap(), b"ell");
    assert_eq!(aws(&server, "s3api delete-object --bucket bucket --key a/1").await, Ok(Value::Null));
    let refusal = aws(&server, &format!("s3api get-object --bucket bucket --key a/1 {back}")).await.unwrap_err();
    assert!(refusal.contains("(NoSuchKey)"), "{refusal}");
    let refusal = aws(&server, "s3api list-objects-v2 --bucket other").await.unwrap_err();
    assert!(refusal.contains("(NoSuchBucket)"), "{refusal}");
}

#[tokio::test]
async fn it_follows_the_pages_of_a_list_and_shows_folders() {
    let Some(server) = served("it_follows_the_pages_of_a_list_and_shows_folders").await else { return };
    let keys: Vec<_> = (0..8).map(|number| format!("prod/charter/{number} é&.json")).collect();
    keys.iter().chain([&"notes".to_owned()]).for_each(|key| server.write(key, b"x").unwrap());
    let listed = aws(&server, "s3api list-objects-v2 --bucket bucket --prefix prod/").await.unwrap();
    let found: Vec<_> = listed["Contents"].as_array().unwrap().iter().map(|object| object["Key"].as_str().unwrap()).collect();
    assert_eq!(found, keys);
    assert_eq!(server.log().of(Operation::List).len(), 3);
    let folders = run(&server.url(), "operator", "s3 ls s3://bucket/").await.unwrap();
    assert!(folders.contains("PRE prod/") && folders.contains("1 notes"), "{folders}");
    run(&server.url(), "operator", "s3 rm --recursive --quiet s3://bucket/prod/").await.unwrap();
    assert_eq!(server.keys(), ["notes"]);
    server.write("notes 2", b"x").unwrap();
    let deleted = aws(&server, "s3api delete-objects --bucket bucket --delete Objects=[{Key=notes},{Key=none}]").await.unwrap();
    assert_eq!((deleted["Deleted"].as_array().unwrap().len(), server.keys()), (2, vec!["notes 2".to_owned()]));
}

#[tokio::test]
async fn it_copies_a_large_file_there_and_back_with_its_key() {
    let Some(server) = served("it_copies_a_large_file_there_and_back_with_its_key").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..17_u32 << 20).map(|at| (at % 251) as u8).collect();
    let (there, back) = (file(dir.path(), "there", &bytes), file(dir.path(), "back", b""));
    let copy = format!("s3 cp --quiet --sse aws:kms --sse-kms-key-id k {there} s3://bucket/snapshot.db");
    run(&server.url(), "operator", &copy).await.unwrap();
    assert!(server.log().of(Operation::UploadPart).len() > 1 && server.uploads().is_empty());
    assert_eq!(server.object("snapshot.db").unwrap().headers["x-amz-server-side-encryption-aws-kms-key-id"], "k");
    run(&server.url(), "operator", &format!("s3 cp --quiet s3://bucket/snapshot.db {back}")).await.unwrap();
    assert!(std::fs::read(&back).unwrap() == bytes);
    aws(&server, "s3api create-multipart-upload --bucket bucket --key left").await.unwrap();
    let left = aws(&server, "s3api list-multipart-uploads --bucket bucket").await.unwrap();
    assert_eq!(left["Uploads"][0]["Key"], "left");
}

#[tokio::test]
async fn it_is_refused_as_by_aws() {
    let Some(server) = served("it_is_refused_as_by_aws").await else { return };
    server.access().restrict("worker", [Grant::new("s3:GetObject", "ca.pem")]);
    let refusal = run(&server.url(), "worker", "s3api list-objects-v2 --bucket bucket").await.unwrap_err();
    assert!(refusal.contains("(AccessDenied)"), "{refusal}");
    server.faults().add(Rule::new(Scope::everything(), Fault::Status(503)));
    let refusal = aws(&server, "s3api list-objects-v2 --bucket bucket").await.unwrap_err();
    assert!(refusal.contains("(SlowDown)"), "{refusal}");
}
