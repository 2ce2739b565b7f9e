//! A store whose objects are files: it outlives its server, and holds only what it should.

use std::path::Path as Directory;

use object_store::ObjectStoreExt as _;
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use quorate_lab::s3::{Blob, Fault, Operation, Rule, S3Config, S3Server};

use crate::scene::{client, create, get, put, serve};

async fn at(directory: &Directory) -> S3Server {
    serve(S3Config { directory: Some(directory.to_owned()), ..S3Config::default() }).await
}

fn bodies(directory: &Directory) -> usize {
    std::fs::read_dir(directory.join("bodies")).unwrap().count()
}

#[tokio::test]
async fn what_was_written_outlives_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let (key, half) = (Path::from("parts"), vec![b'x'; 5 << 20]);
    let first = at(dir.path()).await;
    put(&client(&first), "a/1", "one").await.unwrap();
    let meta = client(&first).head(&Path::from("a/1")).await.unwrap();
    let id = client(&first).create_multipart(&key).await.unwrap();
    let begun = client(&first).put_part(&key, &id, 0, half.clone().into()).await.unwrap();
    drop(first);

    let second = at(dir.path()).await;
    assert_eq!(get(&client(&second), "a/1").await.unwrap(), "one");
    assert_eq!(client(&second).head(&Path::from("a/1")).await.unwrap(), meta);
    assert!(create(&client(&second), "a/1", "two").await.is_err());
    let rest = client(&second).put_part(&key, &id, 1, "end".into()).await.unwrap();
    client(&second).complete_multipart(&key, &id, vec![begun, rest]).await.unwrap();
    assert_eq!(client(&second).get_range(&key, (5 << 20) - 1..(5 << 20) + 2).await.unwrap(), "xen");
    assert!(matches!(second.object("parts").unwrap().content[0], Blob::File { .. }));
    assert_eq!(second.read("parts").unwrap(), [half, b"end".to_vec()].concat());
}

#[tokio::test]
async fn nothing_is_left_of_what_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let server = at(dir.path()).await;
    let client = client(&server);
    put(&client, "key", "one").await.unwrap();
    put(&client, "key", "two").await.unwrap();
    assert_eq!(bodies(dir.path()), 1, "the one that was replaced is gone");
    assert!(create(&client, "key", "three").await.is_err());
    let rule = server.faults().add(Rule::new(Operation::Put, Fault::Status(507)));
    assert!(put(&client, "key", "four").await.is_err());
    server.faults().remove(rule);
    assert_eq!(bodies(dir.path()), 1, "refused ones are gone");
    let upload = Path::from("upload");
    let id = client.create_multipart(&upload).await.unwrap();
    client.put_part(&upload, &id, 0, "x".into()).await.unwrap();
    assert_eq!(bodies(dir.path()), 2);
    assert_eq!((server.expire("").unwrap(), bodies(dir.path())), (vec!["key".to_owned()], 0));
}

#[tokio::test]
async fn who_reads_while_it_is_replaced_reads_the_old_one_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let server = at(dir.path()).await;
    let old = "old ".repeat(4 << 20);
    server.write("key", old.as_bytes()).unwrap();
    let reading = client(&server).get(&Path::from("key")).await.unwrap();
    server.write("key", b"new").unwrap();
    assert!(reading.bytes().await.unwrap() == old);
    assert_eq!(get(&client(&server), "key").await.unwrap(), "new");
}

#[tokio::test]
async fn what_a_crash_cut_short_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    put(&client(&at(dir.path()).await), "key", "one").await.unwrap();
    std::fs::write(dir.path().join("bodies/99"), "half").unwrap();
    let again = at(dir.path()).await;
    assert_eq!(bodies(dir.path()), 1);
    put(&client(&again), "key", "two").await.unwrap();
    assert_eq!(again.read("key").unwrap(), b"two");
}
