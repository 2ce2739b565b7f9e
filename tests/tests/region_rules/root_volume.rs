//! Root volumes replaced by an instance refresh.

use quorate_lab::region::{ActionResult, Event, LifecycleState, PoolState, RefreshPreferences, RefreshStatus, Target, WarmPool};

use crate::world::{World, hooked, refused};

fn replacing(size: u32) -> World {
    let mut world = World::in_service(quorate_lab::region::GroupSpec { mixed_instances: true, ..hooked(size) });
    let group = world.group.clone();
    world.api().start_instance_refresh(&group, Some(RefreshPreferences::root_volumes())).unwrap();
    world
}

#[test]
fn the_instance_stays_and_its_root_volume_does_not() {
    let mut world = replacing(2);
    let ids = world.ids();
    for _ in 0..120 {
        world.pass(1);
        let away = world.states().iter().filter(|state| **state != LifecycleState::InService).count();
        assert!(away <= 1, "one at a time: {:?}", world.states());
        for id in &ids {
            let _ = world.complete(id, "terminate", ActionResult::Continue);
        }
    }
    let group = world.region.group(&world.group).unwrap();
    assert_eq!(group.refreshes.last().unwrap().status, RefreshStatus::Successful);
    assert_eq!(world.ids(), ids);
    for id in &ids {
        assert!(world.told(&Event::ReplaceRootVolume(id.clone())) && !world.told(&Event::PowerOff(id.clone())));
        let states: Vec<_> =
            world.instance(id).history().iter().map(|look| look.lifecycle.as_str()).skip_while(|s| *s != "InService").collect();
        let expected =
            ["ReplacingRootVolume", "ReplacingRootVolume:Wait", "ReplacingRootVolume:Proceed", "RootVolumeReplaced", "InService"];
        assert_eq!(states[1..], expected);
        assert_eq!(world.target(id), Some(Target::InService), "IMDS says nothing of it");
    }
    assert_eq!(world.region.action_statistics().completed, 4, "two launches, two replacements, and no launch hook after those");
}

#[test]
fn the_terminating_hook_holds_the_replacement_up() {
    let mut world = replacing(1);
    let id = world.ids()[0].clone();
    world.pass(100);
    assert_eq!(world.state(&id), LifecycleState::ReplacingRootVolumeWait);
    assert!(!world.told(&Event::ReplaceRootVolume(id.clone())));
    world.complete(&id, "terminate", ActionResult::Abandon).unwrap();
    world.pass(1);
    assert!(world.told(&Event::ReplaceRootVolume(id)), "an abandoned hook holds it up no longer");
}

#[test]
fn it_needs_a_mixed_instances_policy_and_no_warm_pool() {
    let mut world = World::in_service(hooked(1));
    let group = world.group.clone();
    refused(
        world.api().start_instance_refresh(&group, Some(RefreshPreferences::root_volumes())),
        "ValidationError",
        "The ReplaceRootVolume strategy requires a mixed instances policy whose overrides specify an ImageId.",
    );
    let pool = WarmPool::of(PoolState::Stopped, 0);
    let mut world = World::in_service(quorate_lab::region::GroupSpec { mixed_instances: true, ..hooked(1).warm_pool(pool) });
    refused(
        world.api().start_instance_refresh(&group, Some(RefreshPreferences::root_volumes())),
        "ValidationError",
        "The ReplaceRootVolume strategy is not supported for an Auto Scaling group with a warm pool.",
    );
}
