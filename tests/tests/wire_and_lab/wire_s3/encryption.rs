//! What a bucket may ask of everything that Quorate writes, uploads in parts too: a key of the operator's own, and checksums.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::adapters::object_store::{CharterStore, SnapshotStore};
use quorate_core::charter::State;
use quorate_core::ids::{EtcdClusterId, Generation, SnapshotKey};
use quorate_core::plan::Outcome;
use quorate_core::snapshot::{Manifest, Trigger};
use quorate_core::time::Timestamp;
use quorate_lab::s3::{Operation, S3Config, S3Server};

use crate::fixtures::{me, record};
use crate::wire_s3::scene::{builder, put, serve, served};

const PART: usize = 5 << 20;
const LIMIT: Duration = Duration::from_secs(20);
const KMS_KEY: &str = "arn:aws:kms:eu-central-1:1:key/0f1e2d";
const ALGORITHM: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";

fn settings(server: &S3Server, further: &[(&str, &str)]) -> BTreeMap<String, String> {
    let url = server.url();
    let own = [("endpoint", &*url), ("allow_http", "true"), ("access_key_id", "i-1"), ("secret_access_key", "secret")];
    own.iter().chain(further).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Everything that a cluster writes: a record of the charter, a snapshot in two parts, its manifest.
async fn write_all(server: &S3Server, settings: &BTreeMap<String, String>) {
    let (me, url) = (me(), format!("s3://{}/clusters", server.bucket()));
    let record = record(State::Founding { founder: me.instance.clone() });
    let charter = CharterStore::open(Some(&url), settings, &me, LIMIT).unwrap();
    assert_eq!(charter.create(&record).await, Outcome::Done);
    let store = SnapshotStore::open(&url, settings, &me, LIMIT).unwrap();
    let key = SnapshotKey::of(Generation(1), 9, Timestamp(7), &me.instance);
    let bytes = vec![7; PART + 1000];
    let mut upload = store.upload(&key, PART).await.unwrap();
    upload.write(&bytes).await.unwrap();
    upload.complete().await.unwrap();
    let manifest = Manifest {
        version: Manifest::VERSION,
        account: me.account.clone(),
        region: me.region.clone(),
        cluster: me.cluster.clone(),
        generation: Generation(1),
        etcd_cluster: EtcdClusterId(1),
        record: 1,
        voters: Vec::new(),
        revision: 9,
        size: bytes.len() as u64,
        sha256: String::new(),
        etcd_version: "3.5.16".to_owned(),
        taken_by: me.instance.clone(),
        taken_at: Timestamp(7),
        trigger: Trigger::Interval,
    };
    store.finish(&key, &manifest).await.unwrap();
}

/// The encryption requested of S3 for each object: the headers stay with it, from PutObject or from CreateMultipartUpload.
fn encryption(server: &S3Server) -> Vec<(String, Option<String>, Option<String>)> {
    let of = |key: String| {
        let mut headers = server.object(&key).unwrap().headers;
        (key, headers.remove(ALGORITHM), headers.remove(KEY_ID))
    };
    server.keys().into_iter().map(of).collect()
}

#[tokio::test]
async fn everything_is_written_with_the_operators_key() {
    let server = served().await;
    let kms = [("aws_server_side_encryption", "aws:kms"), ("aws_sse_kms_key_id", KMS_KEY)];
    write_all(&server, &settings(&server, &kms)).await;
    assert!(server.log().of(Operation::UploadPart).len() == 2 && server.log().of(Operation::Put).len() == 2, "{:?}", server.log().lines());
    let found = encryption(&server);
    assert_eq!(found.len(), 3, "a record, the data and its manifest: {found:?}");
    for (key, algorithm, id) in found {
        assert_eq!((algorithm.as_deref(), id.as_deref()), (Some("aws:kms"), Some(KMS_KEY)), "{key}");
    }
}

#[tokio::test]
async fn without_the_setting_the_buckets_own_default_counts() {
    let server = served().await;
    write_all(&server, &settings(&server, &[])).await;
    let found = encryption(&server);
    assert!(found.len() == 3 && found.iter().all(|(_, algorithm, id)| algorithm.is_none() && id.is_none()), "{found:?}");
}

/// As S3 refuses them: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html>.
#[tokio::test]
async fn a_bucket_with_object_lock_takes_everything_without_a_setting() {
    let server = serve(S3Config { object_lock: true, ..S3Config::default() }).await;
    let without = builder(&server).build().unwrap();
    let refusal = put(&without, "key", "text").await.unwrap_err();
    assert!(refusal.to_string().contains("x-amz-checksum-"), "{refusal}");
    write_all(&server, &settings(&server, &[])).await;
    assert_eq!(server.keys().len(), 3, "{:?}", server.keys());
}
