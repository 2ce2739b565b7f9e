//! An instance's identity, from the tags on its group alone, against a region on the wire.

use std::error::Error;

use quorate::config::Settings;
use quorate::identity::{self, IdentityError, Resolved};
use quorate_core::ids::{ClusterName, GroupName};
use quorate_core::role::Role;
use quorate_lab::region::{Call, GroupSpec};
use quorate_lab::wire::Fault;

use super::lab::Lab;

async fn resolve(lab: &Lab, file: &str) -> Result<Resolved, IdentityError> {
    identity::resolve(&lab.imds(), &lab.autoscaling().await, &Settings::parse(file).unwrap()).await
}

#[tokio::test]
async fn a_tagged_group_needs_no_configuration_and_one_call() {
    let lab = Lab::start([Lab::group("etcd", 1).tag("quorate:store", "s3://bucket/prod")]).await;
    let resolved = resolve(&lab, "").await.unwrap();
    assert_eq!(resolved.me.instance, lab.me);
    assert_eq!(resolved.me.group, GroupName::new("etcd"));
    assert_eq!(resolved.me.cluster, ClusterName::new("prod"));
    assert_eq!((resolved.me.role, resolved.store_url.as_deref()), (Role::Etcd, Some("s3://bucket/prod")));
    assert_eq!(lab.calls(Call::DescribeAutoScalingInstances), 0, "IMDS had the group's name");
    assert_eq!(lab.calls(Call::DescribeAutoScalingGroups), 1);
}

#[tokio::test]
async fn where_imds_shows_no_tags_auto_scaling_names_the_group() {
    let mut group = Lab::group("etcd", 1);
    group.tags_in_metadata = false;
    let lab = Lab::start([group]).await;
    let resolved = resolve(&lab, "").await.unwrap();
    assert_eq!((resolved.me.group, resolved.store_url), (GroupName::new("etcd"), None));
    assert_eq!(lab.calls(Call::DescribeAutoScalingInstances), 1);
}

#[tokio::test]
async fn an_instance_of_no_group_is_told_so() {
    let mut group = Lab::group("etcd", 1);
    group.tags_in_metadata = false;
    let lab = Lab::start([group]).await;
    lab.server.region().with(|region, now| region.delete_group(&GroupName::new("etcd"), now));
    lab.until("it has left its group", |region| region.members(&GroupName::new("etcd")).next().is_none()).await;
    let error = resolve(&lab, "").await.unwrap_err();
    assert!(matches!(&error, IdentityError::NoGroup { instance } if *instance == lab.me), "{error}");
}

#[tokio::test]
async fn an_untagged_group_is_refused_with_the_missing_tag() {
    let lab = Lab::start([GroupSpec::new("etcd", 1).tag("quorate:role", "etcd")]).await;
    let error = resolve(&lab, "").await.unwrap_err();
    assert!(matches!(error, IdentityError::NoTag { key: "quorate:cluster", .. }), "{error}");
}

#[tokio::test]
async fn a_worker_without_a_token_to_join_with_is_refused_by_that_keys_name() {
    let lab = Lab::start([GroupSpec::new("workers", 1).tag("quorate:cluster", "prod").tag("quorate:role", "worker")]).await;
    let error = resolve(&lab, "").await.unwrap_err();
    assert!(matches!(error, IdentityError::NoToken { role: Role::Worker }), "{error}");
    assert!(error.to_string().contains("the role worker needs kubernetes.token_file"), "{error}");
}

#[tokio::test]
async fn a_configuration_that_says_everything_needs_no_tags_and_no_call() {
    let lab = Lab::start([GroupSpec::new("etcd", 1)]).await;
    let file = "[cluster]\nname = \"prod\"\nrole = \"etcd\"\n[store]\nurl = \"file:///srv/store\"\n";
    assert_eq!(resolve(&lab, file).await.unwrap().store_url.as_deref(), Some("file:///srv/store"));
    assert_eq!(lab.calls(Call::DescribeAutoScalingGroups), 0);
}

#[tokio::test]
async fn imds_and_aws_out_of_order_are_told_apart_with_their_causes() {
    let lab = Lab::start([Lab::group("etcd", 1)]).await;
    lab.api_fault("DescribeAutoScalingGroups", Fault::Throttle);
    let error = resolve(&lab, "").await.unwrap_err();
    assert!(matches!(error, IdentityError::Aws(_)), "{error}");
    assert!(error.source().is_some_and(|source| source.to_string().contains("Rate exceeded")), "{error:?}");
    lab.imds_fault("dynamic", Fault::Status(503));
    assert!(matches!(resolve(&lab, "").await, Err(IdentityError::Imds(_))));
}
