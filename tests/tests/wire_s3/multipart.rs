//! Uploads in parts.

use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _, WriteMultipart};
use quorate_lab::s3::{Fault, Operation, Rule, S3Server, Scope};
use reqwest::Method;

use crate::scene::{builder, client, get, message, patient, put, raw, refusal, served};

const MIB: usize = 1 << 20;

fn part(letter: char, size: usize) -> String {
    letter.to_string().repeat(size)
}

/// An upload of `key` with parts of these sizes, of `a`, of `b` and so on.
async fn uploaded(server: &S3Server, sizes: &[usize]) -> (String, Vec<PartId>) {
    let (client, key) = (client(server), Path::from("key"));
    let id = client.create_multipart(&key).await.unwrap();
    let mut parts = Vec::new();
    for (index, (size, letter)) in sizes.iter().zip('a'..).enumerate() {
        parts.push(client.put_part(&key, &id, index, part(letter, *size).into()).await.unwrap());
    }
    (id, parts)
}

#[tokio::test]
async fn parts_become_one_object() {
    let server = served().await;
    let upload = client(&server).put_multipart(&Path::from("key")).await.unwrap();
    let mut upload = WriteMultipart::new_with_chunk_size(upload, 5 * MIB);
    let text = part('a', 6 * MIB) + &part('b', 6 * MIB);
    upload.write(text.as_bytes());
    let done = upload.finish().await.unwrap();
    assert!(done.e_tag.as_ref().unwrap().ends_with("-3\""), "{done:?}");
    assert!(get(&client(&server), "key").await.unwrap() == text);
    let across = client(&server).get_range(&Path::from("key"), 6 * MIB as u64 - 2..6 * MIB as u64 + 2).await.unwrap();
    assert_eq!(across, "aabb");
    assert_eq!((server.uploads().len(), server.log().of(Operation::UploadPart).len()), (0, 3));
}

#[tokio::test]
async fn a_part_may_come_again() {
    let server = served().await;
    let (id, mut parts) = uploaded(&server, &[5 * MIB, 1]).await;
    let (client, key) = (client(&server), Path::from("key"));
    parts[1] = client.put_part(&key, &id, 1, "again".into()).await.unwrap();
    client.complete_multipart(&key, &id, parts).await.unwrap();
    assert!(get(&client, "key").await.unwrap().ends_with("aagain"));
}

#[tokio::test]
async fn a_small_part_before_the_last_is_refused_at_completion() {
    let server = served().await;
    let (id, parts) = uploaded(&server, &[5 * MIB - 1, 1]).await;
    let refused = client(&server).complete_multipart(&Path::from("key"), &id, parts).await.unwrap_err();
    assert!(message(&refused).contains("EntityTooSmall"), "{}", message(&refused));
    assert_eq!((server.keys().len(), server.uploads().len()), (0, 1), "it is still to be completed or given up");
}

#[tokio::test]
async fn a_part_that_never_came_is_refused() {
    let server = served().await;
    let (id, mut parts) = uploaded(&server, &[1]).await;
    parts.push(PartId { content_id: "\"none\"".to_owned() });
    let refused = client(&server).complete_multipart(&Path::from("key"), &id, parts).await.unwrap_err();
    assert!(message(&refused).contains("InvalidPart"), "{}", message(&refused));
}

#[tokio::test]
async fn an_upload_that_was_given_up_is_gone() {
    let server = served().await;
    let (id, parts) = uploaded(&server, &[9]).await;
    let (client, key) = (client(&server), Path::from("key"));
    client.abort_multipart(&key, &id).await.unwrap();
    assert_eq!((server.keys().len(), server.uploads().len()), (0, 0));
    for gone in [client.complete_multipart(&key, &id, parts).await.map(drop), client.abort_multipart(&key, &id).await] {
        let gone = gone.unwrap_err();
        assert!(matches!(gone, Error::NotFound { .. }) && message(&gone).contains("NoSuchUpload"), "{}", message(&gone));
    }
}

#[tokio::test]
async fn a_completion_keeps_its_condition() {
    let server = served().await;
    let (id, _) = uploaded(&server, &[3]).await;
    let complete = async || {
        let etag = server.uploads()[0].1.parts[&1].etag.clone();
        let body = format!("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>");
        raw(&server, Method::POST, &format!("/bucket/key?uploadId={id}"), &[("if-none-match", "*")], &body).await.unwrap()
    };
    put(&client(&server), "key", "other").await.unwrap();
    assert_eq!(refusal(complete().await).await, (412, "PreconditionFailed".to_owned()));
    assert_eq!(get(&client(&server), "key").await.unwrap(), "other");
    server.expire("key").unwrap();
    uploaded(&server, &[3]).await;
    let (id, upload) = server.uploads().remove(0);
    let body = format!(
        "<CompleteMultipartUpload><Part><ETag>\"{}\"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        upload.parts[&1].etag
    );
    let done = raw(&server, Method::POST, &format!("/bucket/key?uploadId={id}"), &[("if-none-match", "*")], &body).await.unwrap();
    assert_eq!((done.status().as_u16(), get(&client(&server), "key").await.unwrap().as_str()), (200, "aaa"));
}

#[tokio::test]
async fn unfinished_uploads_are_listed_in_pages() {
    let server = served().await;
    for key in ["b", "a/1", "a/2"] {
        client(&server).create_multipart(&Path::from(key)).await.unwrap();
    }
    let list =
        async |query: &str| raw(&server, Method::GET, &format!("/bucket?uploads{query}"), &[], "").await.unwrap().text().await.unwrap();
    let all = list("").await;
    assert_eq!(all.matches("<Upload>").count(), 3, "{all}");
    let some = list("&prefix=a/&max-uploads=1").await;
    assert!(some.contains("<IsTruncated>true</IsTruncated>") && some.contains("<NextKeyMarker>a/1</NextKeyMarker>"), "{some}");
    let id = some.split_once("<NextUploadIdMarker>").unwrap().1.split_once('<').unwrap().0;
    let rest = list(&format!("&prefix=a/&key-marker=a/1&upload-id-marker={id}")).await;
    assert!(rest.contains("<Key>a/2</Key>") && rest.matches("<Upload>").count() == 1, "{rest}");
}

#[tokio::test]
async fn a_part_that_fails_fails_the_upload() {
    let server = served().await;
    let rule = server.faults().add(Rule::new(Scope::of([Operation::UploadPart]).part(2), Fault::Status(500)));
    let upload = client(&server).put_multipart(&Path::from("key")).await.unwrap();
    let mut upload = WriteMultipart::new_with_chunk_size(upload, 5 * MIB);
    upload.write(&vec![b'x'; 11 * MIB]);
    assert!(upload.finish().await.is_err());
    assert_eq!((server.faults().struck(rule), server.keys().len()), (1, 0));
    let parts: Vec<_> = server.log().of(Operation::UploadPart).into_iter().map(|line| (line.part, line.status)).collect();
    assert!(parts.contains(&(Some(2), Some(500))) && parts.contains(&(Some(1), Some(200))), "{parts:?}");
}

#[tokio::test]
async fn a_completion_that_is_refused_leaves_no_object() {
    let server = served().await;
    let (id, parts) = uploaded(&server, &[1]).await;
    for fault in [Fault::Status(507), Fault::RefusalInside(500)] {
        let rule = server.faults().add(Rule::new(Operation::Complete, fault.clone()));
        assert!(client(&server).complete_multipart(&Path::from("key"), &id, parts.clone()).await.is_err(), "{fault:?}");
        assert_eq!((server.faults().struck(rule), server.keys().len()), (1, 0), "{fault:?}");
        server.faults().remove(rule);
    }
    client(&server).complete_multipart(&Path::from("key"), &id, parts).await.unwrap();
}

#[tokio::test]
async fn a_completion_whose_answer_is_lost_may_be_asked_again() {
    let server = served().await;
    let (id, parts) = uploaded(&server, &[1]).await;
    let rule = server.faults().add(Rule::new(Operation::Complete, Fault::LoseAnswer).times(1));
    patient(&server, 2).complete_multipart(&Path::from("key"), &id, parts).await.unwrap();
    assert_eq!((server.faults().struck(rule), server.log().of(Operation::Complete).len()), (1, 2));
    assert_eq!(get(&client(&server), "key").await.unwrap(), "a");
}

#[tokio::test]
async fn encryption_is_said_when_an_upload_begins() {
    let server = served().await;
    let encrypting = builder(&server, "caller", 0).with_sse_kms_encryption("k").build().unwrap();
    let mut upload = encrypting.put_multipart(&Path::from("key")).await.unwrap();
    upload.put_part("x".into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(server.object("key").unwrap().headers["x-amz-server-side-encryption-aws-kms-key-id"], "k");
}
