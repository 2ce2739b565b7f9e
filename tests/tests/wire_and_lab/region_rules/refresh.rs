//! Instance refresh.

use quorate_core::ids::InstanceId;
use quorate_lab::region::{ActionResult, LifecycleState, RefreshPreferences, RefreshStatus, Strategy};

use crate::region_rules::world::{World, hooked, plain, refused};

/// Lets a second pass, completing every hook; returns the number in service and the number on the list.
fn second(world: &mut World) -> (usize, usize) {
    world.pass(1);
    for id in world.ids() {
        match world.state(&id) {
            LifecycleState::PendingWait => drop(world.complete(&id, "launch", ActionResult::Continue)),
            LifecycleState::TerminatingWait => drop(world.complete(&id, "terminate", ActionResult::Continue)),
            _ => {}
        }
    }
    let in_service = world.states().iter().filter(|state| **state == LifecycleState::InService).count();
    (in_service, world.ids().len())
}

fn status(world: &World) -> RefreshStatus {
    world.region.group(&world.group).unwrap().refreshes.last().unwrap().status
}

/// Runs a refresh to its end; returns the fewest in service and the most on the list that were seen.
fn run(world: &mut World) -> (usize, usize) {
    let (mut fewest, mut most) = (usize::MAX, 0);
    for _ in 0..2000 {
        let (in_service, listed) = second(world);
        (fewest, most) = (fewest.min(in_service), most.max(listed));
        if !status(world).active() {
            return (fewest, most);
        }
    }
    panic!("the refresh never ended: {:?}", world.states());
}

#[test]
fn launch_before_terminate_never_has_fewer_than_desired_nor_more_than_one_extra() {
    let mut world = World::in_service(hooked(3));
    let (old, group) = (world.ids(), world.group.clone());
    world.api().start_instance_refresh(&group, None).unwrap();
    assert_eq!(status(&world), RefreshStatus::Pending);
    assert_eq!(run(&mut world), (3, 4));
    assert_eq!(status(&world), RefreshStatus::Successful);
    assert!(world.ids().iter().all(|id| !old.contains(id)));
    assert_eq!(world.ids().len(), 3);
}

#[test]
fn the_next_one_waits_until_the_last_one_is_gone() {
    let mut world = World::in_service(hooked(3));
    let group = world.group.clone();
    world.api().start_instance_refresh(&group, None).unwrap();
    let mut worst = 0;
    while status(&world).active() {
        second(&mut world);
        // Anything that makes the group look at itself must not make it hurry.
        world.api().resume_processes(&group, &[]).unwrap();
        worst = worst.max(world.states().iter().filter(|state| state.leaving()).count());
    }
    assert_eq!(worst, 1);
}

#[test]
fn terminate_before_launch_goes_one_below() {
    let mut world = World::in_service(hooked(3));
    let group = world.group.clone();
    world.api().start_instance_refresh(&group, Some(RefreshPreferences::terminate_before_launch())).unwrap();
    let (fewest, _) = run(&mut world);
    assert_eq!(fewest, 2);
    assert_eq!(status(&world), RefreshStatus::Successful);
}

/// As the guide has it: left out, an instance is terminated and its replacement launched at the same time; said, one is launched first if none can be spared.
#[test]
fn a_maximum_of_a_hundred_is_not_one_left_out() {
    for (least, most, expected) in [(100, None, 2), (100, Some(100), 3), (90, Some(100), 3), (60, Some(100), 2), (90, None, 2)] {
        let mut world = World::in_service(hooked(3));
        let group = world.group.clone();
        let preferences = RefreshPreferences { min_healthy_percentage: least, max_healthy_percentage: most, strategy: Strategy::Rolling };
        world.api().start_instance_refresh(&group, Some(preferences)).unwrap();
        assert_eq!(run(&mut world).0, expected, "{least} % and {most:?}");
    }
}

#[test]
fn an_extra_instance_is_allowed_even_at_the_groups_maximum() {
    let mut world = World::in_service(plain(2).sizes(0, 2, 2));
    let group = world.group.clone();
    world.api().start_instance_refresh(&group, None).unwrap();
    run(&mut world);
    assert_eq!(status(&world), RefreshStatus::Successful);
}

#[test]
fn a_second_refresh_is_refused_while_one_is_at_work() {
    let mut world = World::in_service(plain(1));
    let group = world.group.clone();
    world.api().start_instance_refresh(&group, None).unwrap();
    refused(
        world.api().start_instance_refresh(&group, None),
        "InstanceRefreshInProgress",
        "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
    );
    run(&mut world);
    world.api().start_instance_refresh(&group, None).unwrap();
}

#[test]
fn a_new_instance_that_never_joins_stops_the_refresh_where_it_stands() {
    let mut world = World::in_service(hooked(2));
    let (old, group): (Vec<InstanceId>, _) = (world.ids(), world.group.clone());
    world.api().start_instance_refresh(&group, None).unwrap();
    world.pass(500);
    assert!(old.iter().all(|id| world.state(id) == LifecycleState::InService));
    assert_eq!(world.ids().len(), 3);
    assert_eq!(status(&world), RefreshStatus::InProgress);
}

#[test]
fn a_new_instance_that_is_abandoned_is_launched_again() {
    let mut world = World::in_service(hooked(1));
    let (old, group) = (world.ids()[0].clone(), world.group.clone());
    world.api().start_instance_refresh(&group, None).unwrap();
    world.pass(20);
    let new = world.ids()[1].clone();
    world.complete(&new, "launch", ActionResult::Abandon).unwrap();
    assert_eq!(world.ids().len(), 3);
    assert_eq!(world.state(&old), LifecycleState::InService);
    run(&mut world);
    assert_eq!(status(&world), RefreshStatus::Successful);
}
