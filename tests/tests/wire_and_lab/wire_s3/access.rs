//! The denial in `packaging/aws/iam/member.json`, as the bucket of `lab_etcd::permissions` enforces it: an agent that overwrote a record would be refused.

use object_store::path::Path;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions};
use quorate_lab::s3::Denial;

use crate::wire_s3::scene::{builder, put, served};

#[tokio::test]
async fn a_key_that_is_denied_without_a_condition_is_created_and_never_overwritten() {
    let server = served().await;
    server.access().deny(Denial::new("s3:PutObject", "charter/", "if-none-match"));
    let member = builder(&server).build().unwrap();
    let create = async |key: &str| {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        member.put_opts(&Path::from(key), "first".into(), options).await
    };
    create("charter/1").await.unwrap();
    assert!(matches!(create("charter/1").await.unwrap_err(), Error::AlreadyExists { .. }));
    assert!(matches!(put(&member, "charter/1", "mine").await.unwrap_err(), Error::PermissionDenied { .. }));
    assert!(member.put_multipart(&Path::from("charter/2")).await.is_err());
    assert_eq!((server.read("charter/1").unwrap(), server.keys()), (b"first".to_vec(), vec!["charter/1".to_owned()]));
    put(&member, "snapshots/1", "mine").await.unwrap();
}
