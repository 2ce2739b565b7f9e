//! The store: a bucket that refuses, one that does not exist, and one that holds something else.

use quorate::check::{Report, Verdict};
use quorate_lab::region::GroupSpec;
use quorate_lab::s3::{Fault, Operation, Rule, S3Config, S3Server, Scope};
use tempfile::TempDir;

use crate::wire_check::scene::{Scene, finding, group, problems};

const RECORD: &str = "quorate/prod/charter/00000000000000000001.json";

async fn bucket() -> S3Server {
    S3Server::start(S3Config::default(), ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// A scene whose charter is in this bucket.
async fn scene(bucket: &S3Server) -> Scene {
    let options = format!(
        "[store]\noptions = {{ endpoint = {:?}, access_key_id = \"x\", secret_access_key = \"y\" }}\n[timing]\ncall_timeout_s = 2\n",
        bucket.url()
    );
    Scene::with(&options, |dir: &TempDir| stored_at(dir, "s3://bucket/quorate")).await
}

/// The scene's group, with its store elsewhere.
fn stored_at(dir: &TempDir, store: &str) -> GroupSpec {
    let mut group = group(dir);
    group.tags.retain(|tag| &*tag.key != "quorate:store");
    group.tag("quorate:store", store)
}

async fn failing(scope: impl Into<Scope>, fault: Fault) -> Report {
    let bucket = bucket().await;
    bucket.write(RECORD, b"{}").unwrap();
    bucket.faults().add(Rule::new(scope, fault));
    scene(&bucket).await.check().await
}

#[tokio::test]
async fn a_bucket_that_permits_all_is_well_and_unchanged() {
    let bucket = bucket().await;
    let scene = scene(&bucket).await;
    let report = scene.check().await;
    assert_eq!(problems(&report), Vec::<&str>::new(), "{report}");
    assert_eq!(finding(&report, "permission s3:PutObject").verdict, Verdict::Skipped, "there is nothing to try it on\n{report}");
    assert_eq!(bucket.log().of(Operation::Put), []);
    bucket.write(RECORD, b"{}").unwrap();
    let report = scene.check().await;
    for name in ["endpoint s3", "store", "permission s3:ListBucket", "permission s3:GetObject", "permission s3:PutObject"] {
        assert_eq!(finding(&report, name).verdict, Verdict::Ok, "{name} in\n{report}");
    }
    assert_eq!(bucket.keys(), [RECORD]);
}

#[tokio::test]
async fn each_denied_operation_is_named() {
    for (operations, action) in [
        (vec![Operation::List], "permission s3:ListBucket"),
        (vec![Operation::Get, Operation::Head], "permission s3:GetObject"),
        (vec![Operation::Put], "permission s3:PutObject"),
    ] {
        let report = failing(Scope::of(operations), Fault::Status(403)).await;
        assert_eq!(problems(&report), [action], "{report}");
        assert!(finding(&report, action).remedy.as_deref().unwrap().starts_with("allow s3:"), "{report}");
    }
}

#[tokio::test]
async fn a_bucket_that_hangs_is_a_finding() {
    let report = failing(Operation::List, Fault::Hang).await;
    let found = &finding(&report, "permission s3:ListBucket").found;
    assert!(found.contains("did not answer within") || found.contains("timed out"), "{report}");
}

#[tokio::test]
async fn what_is_no_charter_under_the_clusters_prefix_is_named() {
    let bucket = bucket().await;
    bucket.write("quorate/prod/backup.tar", b"x").unwrap();
    let report = scene(&bucket).await.check().await;
    assert!(problems(&report) == ["store"] && finding(&report, "store").found.contains("backup.tar"), "{report}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_a_problem_and_not_made() {
    let scene = Scene::of(|dir| stored_at(dir, &format!("file://{}", dir.path().join("absent").display()))).await;
    let report = scene.check().await;
    assert_eq!(finding(&report, "store").verdict, Verdict::Problem, "{report}");
    assert!(!scene.dir.path().join("absent").exists());
}
