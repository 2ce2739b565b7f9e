//! Target groups.

use quorate_core::ids::{InstanceId, TargetGroupArn};
use quorate_lab::region::Caller;

use super::world::{World, plain, refused};

fn with_group(size: u32) -> (World, TargetGroupArn, Vec<InstanceId>) {
    let mut world = World::in_service(plain(size));
    let arn = world.api().create_target_group("web", 80);
    let ids = world.ids();
    (world, arn, ids)
}

#[test]
fn a_target_is_taken_out_of_its_own_group_alone_and_others_stay() {
    let (mut world, arn, ids) = with_group(2);
    let other = world.api().create_target_group("web", 80);
    let all: Vec<_> = ids.iter().map(|id| (id.clone(), None)).collect();
    for group in [&arn, &other] {
        world.api().register_targets(group, &all).unwrap();
        world.api().register_targets(group, &all).unwrap();
    }
    world.api().deregister_targets(&arn, &all[..1]).unwrap();
    let group = world.region.target_group(&arn).unwrap();
    assert_eq!((group.has(&ids[0]), group.has(&ids[1]), group.targets.len()), (false, true, 1));
    let gone: Vec<_> = group.deregistered.iter().map(|gone| (&gone.target.instance, gone.target.port, gone.at, &gone.by)).collect();
    assert_eq!(gone, [(&ids[0], 80, world.now, &Caller::Operator)]);
    assert!(world.region.target_group(&other).unwrap().has(&ids[0]));
}

#[test]
fn who_is_no_target_is_passed_over_and_a_port_of_its_own_has_to_be_named() {
    let (mut world, arn, ids) = with_group(1);
    world.api().deregister_targets(&arn, &[(ids[0].clone(), None)]).unwrap();
    world.api().register_targets(&arn, &[(ids[0].clone(), Some(8443))]).unwrap();
    world.api().deregister_targets(&arn, &[(ids[0].clone(), None)]).unwrap();
    assert!(world.region.target_group(&arn).unwrap().has(&ids[0]), "it was on another port");
    world.api().deregister_targets(&arn, &[(ids[0].clone(), Some(8443))]).unwrap();
    assert!(!world.region.target_group(&arn).unwrap().has(&ids[0]));
}

#[test]
fn unknown_groups_and_instances_that_do_not_run_are_refused() {
    let (mut world, arn, ids) = with_group(1);
    let missing = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/0000000000000000".into();
    let target = [(ids[0].clone(), None)];
    refused(world.api().deregister_targets(&missing, &target), "TargetGroupNotFound", "One or more target groups not found");
    refused(world.api().deregister_targets(&"web".into(), &target), "ValidationError", "'web' is not a valid target group ARN");
    let unknown = [(InstanceId::new("i-0ffffffffffffffff"), None)];
    let message = "The following targets are not in a running state and cannot be registered: 'i-0ffffffffffffffff'";
    refused(world.api().register_targets(&arn, &unknown), "InvalidTarget", message);
}
