//! What each caller may do.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions};
use quorate_lab::s3::{Denial, Grant, Operation, S3Server};

use crate::scene::{client_of, get, message, put, served};

async fn restricted(grants: &[(&str, &str)]) -> S3Server {
    let server = served().await;
    for key in ["ca/bundle.pem", "ca/key.pem"] {
        server.write(key, b"x").unwrap();
    }
    server.access().restrict("worker", grants.iter().map(|(permission, prefix)| Grant::new(permission, prefix)));
    server
}

fn is_denied<T: std::fmt::Debug>(outcome: object_store::Result<T>) -> bool {
    // The client turns a refused list into an error of no particular kind.
    outcome.is_err_and(|error| message(&error).contains("<Code>AccessDenied</Code>"))
}

#[tokio::test]
async fn a_caller_may_do_what_it_was_granted_and_nothing_else() {
    let server = restricted(&[("s3:GetObject", "ca/bundle.pem")]).await;
    let worker = client_of(&server, "worker");
    assert_eq!(get(&worker, "ca/bundle.pem").await.unwrap(), "x");
    assert!(is_denied(get(&worker, "ca/key.pem").await));
    assert!(is_denied(put(&worker, "ca/bundle.pem", "mine").await));
    assert!(is_denied(worker.list(None).try_collect::<Vec<_>>().await));
    assert!(is_denied(worker.put_multipart(&Path::from("ca/bundle.pem")).await.map(drop)));
    assert_eq!(server.read("ca/bundle.pem").unwrap(), b"x");
    put(&client_of(&server, "server"), "ca/bundle.pem", "theirs").await.unwrap();
    let denied = server.log().lines().into_iter().filter(|line| line.caller == "worker" && line.status == Some(403));
    assert_eq!(denied.count(), 4);
    server.access().release("worker");
    put(&worker, "ca/bundle.pem", "mine").await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_denied_without_a_condition_is_created_and_never_overwritten() {
    let server = served().await;
    server.access().deny(Denial::new("s3:PutObject", "charter/", "if-none-match"));
    let member = client_of(&server, "member");
    let create = async |key: &str| {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        member.put_opts(&Path::from(key), "first".into(), options).await
    };
    create("charter/1").await.unwrap();
    assert!(matches!(create("charter/1").await.unwrap_err(), Error::AlreadyExists { .. }));
    assert!(is_denied(put(&member, "charter/1", "mine").await));
    assert!(is_denied(member.put_multipart(&Path::from("charter/2")).await.map(drop)));
    assert_eq!((server.read("charter/1").unwrap(), server.keys()), (b"first".to_vec(), vec!["charter/1".to_owned()]));
    put(&member, "snapshots/1", "mine").await.unwrap();
}

#[tokio::test]
async fn who_may_not_list_is_not_told_what_is_missing() {
    for (grants, told) in [
        (vec![("s3:GetObject", "")], false),
        (vec![("s3:GetObject", ""), ("s3:ListBucket", "ca/")], false),
        (vec![("s3:GetObject", ""), ("s3:ListBucket", "")], true),
    ] {
        let server = restricted(&grants).await;
        let missing = get(&client_of(&server, "worker"), "none").await.unwrap_err();
        assert_eq!(matches!(missing, Error::NotFound { .. }), told, "{grants:?}: {}", message(&missing));
        assert_eq!(message(&missing).contains("AccessDenied"), !told);
    }
}

#[tokio::test]
async fn a_list_is_granted_by_its_prefix() {
    let server = restricted(&[("s3:ListBucket", "ca/")]).await;
    let worker = client_of(&server, "worker");
    assert_eq!(worker.list(Some(&Path::from("ca"))).try_collect::<Vec<_>>().await.unwrap().len(), 2);
    assert!(is_denied(worker.list(None).try_collect::<Vec<_>>().await));
}

#[tokio::test]
async fn of_many_keys_each_is_judged_by_itself() {
    let server = restricted(&[("s3:DeleteObject", "ca/bundle")]).await;
    let keys = ["ca/bundle.pem", "ca/key.pem"].map(|key| Ok(Path::from(key)));
    let outcomes: Vec<_> = client_of(&server, "worker").delete_stream(stream::iter(keys).boxed()).collect().await;
    assert!(outcomes[0].is_ok() && outcomes[1].as_ref().is_err_and(|error| message(error).contains("AccessDenied")), "{outcomes:?}");
    assert_eq!(server.keys(), ["ca/key.pem"]);
}

#[tokio::test]
async fn what_was_asked_is_told_by_permission() {
    let server = restricted(&[]).await;
    let worker = client_of(&server, "worker");
    let _ = get(&worker, "ca/key.pem").await;
    let _ = worker.list(Some(&Path::from("ca"))).try_collect::<Vec<_>>().await;
    let asked = server.log().permissions().into_iter().collect::<Vec<_>>();
    assert_eq!(asked, [("s3:GetObject", "ca/key.pem".to_owned()), ("s3:ListBucket", "ca/".to_owned())]);
    assert_eq!(Operation::Complete.permission(), "s3:PutObject");
}
