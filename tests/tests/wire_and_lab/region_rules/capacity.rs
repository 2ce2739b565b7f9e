//! Desired and live capacity.

use quorate_lab::region::LifecycleState;

use crate::region_rules::world::{World, hooked, plain, refused};

fn counted(world: &World) -> usize {
    world.states().iter().filter(|state| state.counts()).count()
}

#[test]
fn a_terminating_instance_does_not_count_so_its_replacement_is_launched_at_once() {
    let mut world = World::in_service(hooked(3));
    let id = world.ids()[0].clone();
    world.terminate(&id);
    assert_eq!((world.ids().len(), counted(&world)), (4, 3));
}

#[test]
fn only_instances_on_their_way_into_service_or_in_it_count() {
    let counting: Vec<_> = LifecycleState::ALL.iter().filter(|state| state.counts()).map(|state| state.as_str()).collect();
    let expected = ["Pending", "Pending:Wait", "Pending:Proceed", "InService"];
    let replacing = ["ReplacingRootVolume", "ReplacingRootVolume:Wait", "ReplacingRootVolume:Proceed", "RootVolumeReplaced"];
    assert_eq!(counting, [expected, replacing].concat());
}

#[test]
fn no_replacement_comes_while_capacity_is_short_and_it_comes_when_it_is_not() {
    let mut world = World::in_service(hooked(3));
    let (id, group) = (world.ids()[0].clone(), world.group.clone());
    world.region.set_capacity_short(&group, true, world.now);
    world.terminate(&id);
    world.pass(1000);
    assert_eq!(counted(&world), 2);
    let now = world.now;
    world.region.set_capacity_short(&group, false, now);
    assert_eq!(counted(&world), 3);
}

#[test]
fn desired_capacity_has_to_stay_within_the_bounds() {
    let mut world = World::in_service(plain(2).sizes(1, 3, 2));
    let group = world.group.clone();
    refused(
        world.api().set_desired_capacity(&group, 0),
        "ValidationError",
        "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup.",
    );
    refused(
        world.api().set_desired_capacity(&group, 4),
        "ValidationError",
        "New SetDesiredCapacity value 4 is above max value 3 for the AutoScalingGroup.",
    );
    world.api().set_desired_capacity(&group, 3).unwrap();
    assert_eq!(counted(&world), 3);
    world.api().set_desired_capacity(&group, 1).unwrap();
    assert_eq!(counted(&world), 1);
}

#[test]
fn a_scale_in_takes_the_oldest() {
    let mut world = World::in_service(plain(3));
    let (group, victim) = (world.group.clone(), world.ids()[0].clone());
    world.api().set_desired_capacity(&group, 2).unwrap();
    assert_eq!(world.state(&victim), LifecycleState::Terminating);
}

#[test]
fn terminating_with_a_decrement_shrinks_the_group_down_to_its_minimum() {
    let mut world = World::in_service(plain(2).sizes(1, 3, 2));
    let (first, second) = (world.ids()[0].clone(), world.ids()[1].clone());
    world.api().terminate_in_group(&first, true).unwrap();
    assert_eq!(counted(&world), 1, "not replaced");
    refused(
        world.api().terminate_in_group(&second, true),
        "ValidationError",
        "Currently, desiredSize equals minSize (1). Terminating instance without replacement will violate group's min size \
         constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
    );
    world.api().terminate_in_group(&second, false).unwrap();
    assert_eq!(counted(&world), 1, "replaced");
}

#[test]
fn terminating_twice_shrinks_once() {
    let mut world = World::in_service(hooked(3));
    let (id, group) = (world.ids()[0].clone(), world.group.clone());
    world.api().terminate_in_group(&id, true).unwrap();
    for _ in 0..12 {
        world.api().terminate_in_group(&id, true).unwrap();
        world.pass(1);
    }
    assert_eq!(world.state(&id), LifecycleState::TerminatingWait, "nor does it begin again");
    assert_eq!(world.region.group(&group).unwrap().sizes.desired, 2);
}

#[test]
fn an_instance_of_no_group_is_refused() {
    let mut world = World::in_service(plain(1));
    let id = "i-0123456789abcdef0".into();
    let message = "Instance Id not found - No managed instance found for instance ID: i-0123456789abcdef0";
    refused(world.api().terminate_in_group(&id, false), "ValidationError", message);
    refused(world.api().set_instance_health(&id, quorate_lab::region::Health::Unhealthy), "ValidationError", message);
}

#[test]
fn an_instance_that_departed_is_of_no_group() {
    let mut world = World::in_service(plain(1));
    let id = world.ids()[0].clone();
    world.terminate(&id);
    world.pass(7 + 60 + 3);
    world.api().terminate_in_group(&id, false).unwrap();
    world.pass(1);
    assert!(world.api().terminate_in_group(&id, false).is_err());
}
