//! The official Rust SDKs, unmodified.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_autoscaling::config::Credentials;
use aws_sdk_autoscaling::error::ProvideErrorMetadata;
use aws_sdk_autoscaling::types::{InstanceReusePolicy, WarmPoolState};
use aws_sdk_ec2::types::{Filter, InstanceStateName};
use quorate_lab::region::{Call, Caller, LifecycleState};
use quorate_lab::wire::{Fault, RegionServer, Rule, Scope};

use crate::http::{ids, imds, served, states};

async fn config(server: &RegionServer, key: &str) -> SdkConfig {
    let credentials = Credentials::new(key, "secret", None, None, "lab");
    let loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new("eu-central-1"));
    loader.credentials_provider(credentials).endpoint_url(server.url()).load().await
}

#[tokio::test]
async fn ec2_lists_instances_across_pages() {
    let server = served(3).await;
    server.limit_pages(1);
    let ec2 = aws_sdk_ec2::Client::new(&config(&server, "operator").await);
    let tag = Filter::builder().name("tag:aws:autoscaling:groupName").values("etcd").build();
    let reservations = ec2.describe_instances().filters(tag).into_paginator().items().send();
    let reservations = reservations.collect::<Result<Vec<_>, _>>().await.unwrap();
    let instances: Vec<_> = reservations.iter().flat_map(|reservation| reservation.instances()).collect();
    let found: Vec<_> = instances.iter().map(|one| one.instance_id().unwrap().to_owned()).collect();
    assert_eq!(found, ids(&server).iter().map(ToString::to_string).collect::<Vec<_>>());
    let one = instances[0];
    assert_eq!(one.state().unwrap().name(), Some(&InstanceStateName::Running));
    assert!(one.private_ip_address().is_some() && one.launch_time().is_some());
    assert!(one.tags().iter().any(|tag| tag.key() == Some("quorate:cluster") && tag.value() == Some("prod <&> \"test\"")));
}

#[tokio::test]
async fn ec2_names_the_ids_that_it_does_not_know() {
    let server = served(1).await;
    let ec2 = aws_sdk_ec2::Client::new(&config(&server, "operator").await);
    let error = ec2.describe_instances().instance_ids("i-0123456789abcdef0").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidInstanceID.NotFound"));
    assert_eq!(error.message(), Some("The instance ID 'i-0123456789abcdef0' does not exist"));
}

#[tokio::test]
async fn auto_scaling_describes_groups_members_and_hooks() {
    let server = served(2).await;
    let asg = aws_sdk_autoscaling::Client::new(&config(&server, "operator").await);
    let groups = asg.describe_auto_scaling_groups().send().await.unwrap();
    let group = &groups.auto_scaling_groups()[0];
    assert_eq!((group.min_size(), group.max_size(), group.desired_capacity()), (Some(1), Some(4), Some(2)));
    assert_eq!(group.instances().len(), 2);
    assert_eq!(group.instances()[0].lifecycle_state().unwrap().as_str(), "InService");
    let members = asg.describe_auto_scaling_instances().instance_ids(ids(&server)[0].as_str()).send().await.unwrap();
    assert_eq!(members.auto_scaling_instances()[0].auto_scaling_group_name(), Some("etcd"));
    let hooks = asg.describe_lifecycle_hooks().auto_scaling_group_name("etcd").send().await.unwrap();
    let hook = &hooks.lifecycle_hooks()[0];
    assert_eq!((hook.heartbeat_timeout(), hook.global_timeout()), (Some(300), Some(30_000)));
    assert_eq!(hook.default_result(), Some("ABANDON"));
}

#[tokio::test]
async fn a_lifecycle_action_is_kept_alive_completed_and_then_unknown() {
    let server = served(1).await;
    let id = ids(&server)[0].clone();
    let asg = aws_sdk_autoscaling::Client::new(&config(&server, id.as_str()).await);
    asg.terminate_instance_in_auto_scaling_group().instance_id(id.as_str()).should_decrement_desired_capacity(false).send().await.unwrap();
    assert_eq!(states(&server)[0], LifecycleState::TerminatingWait);
    let beat = asg.record_lifecycle_action_heartbeat().auto_scaling_group_name("etcd").lifecycle_hook_name("quorate-terminate");
    beat.instance_id(id.as_str()).send().await.unwrap();
    let complete = asg.complete_lifecycle_action().auto_scaling_group_name("etcd").lifecycle_hook_name("quorate-terminate");
    let complete = complete.instance_id(id.as_str()).lifecycle_action_result("CONTINUE");
    complete.clone().send().await.unwrap();
    let again = complete.send().await.unwrap_err();
    assert_eq!(again.code(), Some("ValidationError"));
    assert_eq!(again.message(), Some(format!("No active Lifecycle Action found with instance ID {id}").as_str()));
    let region = server.region().lock();
    assert_eq!(region.actions()[0].completed_by(), Some(&Caller::Instance(id.clone())));
    assert_eq!(region.calls().of(&Caller::Instance(id), Call::CompleteLifecycleAction), 2);
}

#[tokio::test]
async fn the_sdk_rides_out_throttling_and_a_hang_up_by_itself() {
    let server = served(1).await;
    let asg = aws_sdk_autoscaling::Client::new(&config(&server, "operator").await);
    let throttle = server.faults().add(Rule::new(Scope::action("DescribeAutoScalingInstances"), Fault::Throttle).times(1));
    let hang_up = server.faults().add(Rule::new(Scope::action("DescribeAutoScalingInstances"), Fault::HangUp).times(1));
    let members = asg.describe_auto_scaling_instances().send().await.unwrap();
    assert_eq!(members.auto_scaling_instances().len(), 1);
    assert_eq!((server.faults().struck(throttle), server.faults().struck(hang_up)), (1, 1));
}

#[tokio::test]
async fn a_refresh_in_progress_is_an_error_of_its_own_type() {
    let server = served(1).await;
    let asg = aws_sdk_autoscaling::Client::new(&config(&server, "operator").await);
    // The hook is never completed, so the refresh keeps running.
    let started = asg.start_instance_refresh().auto_scaling_group_name("etcd").send().await.unwrap();
    let again = asg.start_instance_refresh().auto_scaling_group_name("etcd").send().await.unwrap_err();
    assert!(again.into_service_error().is_instance_refresh_in_progress_fault());
    let refreshes = asg.describe_instance_refreshes().auto_scaling_group_name("etcd").send().await.unwrap();
    assert_eq!(refreshes.instance_refreshes()[0].instance_refresh_id(), started.instance_refresh_id());
}

/// The group shows its pool and the number in it; the instances themselves are shown only by the pool's own call and by each one's id.
#[tokio::test]
async fn a_warm_pool_is_made_described_and_deleted() {
    let server = served(1).await;
    let asg = aws_sdk_autoscaling::Client::new(&config(&server, "operator").await);
    let put = asg.put_warm_pool().auto_scaling_group_name("etcd").pool_state(WarmPoolState::Running).min_size(1);
    let reuse = InstanceReusePolicy::builder().reuse_on_scale_in(true).build();
    put.max_group_prepared_capacity(2).instance_reuse_policy(reuse).send().await.unwrap();
    let groups = asg.describe_auto_scaling_groups().send().await.unwrap();
    let group = &groups.auto_scaling_groups()[0];
    assert_eq!((group.instances().len(), group.warm_pool_size()), (1, Some(1)));
    let told = group.warm_pool_configuration().unwrap();
    assert_eq!((told.pool_state(), told.min_size()), (Some(&WarmPoolState::Running), Some(1)));
    assert_eq!(told.instance_reuse_policy().unwrap().reuse_on_scale_in(), Some(true));
    let pool = asg.describe_warm_pool().auto_scaling_group_name("etcd").send().await.unwrap();
    let spare = &pool.instances()[0];
    assert!(spare.lifecycle_state().unwrap().as_str().starts_with("Warmed:"), "{spare:?}");
    let id = spare.instance_id().unwrap();
    let own = asg.describe_auto_scaling_instances().instance_ids(id).send().await.unwrap();
    assert!(own.auto_scaling_instances()[0].lifecycle_state().unwrap().starts_with("Warmed:"));
    asg.delete_warm_pool().auto_scaling_group_name("etcd").force_delete(true).send().await.unwrap();
}

#[tokio::test]
async fn the_imds_client_of_the_sdk_reads_the_metadata() {
    let server = served(1).await;
    let imds = imds(&server).await;
    let client = aws_config::imds::Client::builder().endpoint(imds.url()).unwrap().build();
    let id = client.get("/latest/meta-data/instance-id").await.unwrap();
    assert_eq!(id.as_ref(), ids(&server)[0].as_str());
    assert!(client.get("/latest/meta-data/spot/instance-action").await.is_err());
    // A token that went bad is renewed without the caller noticing.
    server.faults().add(Rule::new(Scope::path("meta-data/instance-id"), Fault::Status(401)).times(1));
    assert!(client.get("/latest/meta-data/instance-id").await.is_ok());
}
