//! Lifecycle actions: heartbeats and caps.

use quorate_core::ids::HookName;
use quorate_core::time::Timestamp;
use quorate_lab::region::{ActionReference, ActionResult, GroupSpec, LifecycleState};

use crate::region_rules::world::{World, hooked, launching, plain, refused, secs, terminating, waiting};

#[test]
fn each_heartbeat_restarts_the_timeout() {
    let (mut world, id) = waiting(hooked(1));
    for _ in 0..5 {
        world.pass(590);
        world.heartbeat(&id, "terminate").unwrap();
    }
    world.pass(599);
    assert_eq!(world.state(&id), LifecycleState::TerminatingWait);
    world.pass(1);
    assert_eq!(world.state(&id), LifecycleState::TerminatingProceed);
    let own = world.region.actions().iter().find(|action| action.instance == id && action.hook.as_str() == "terminate").unwrap();
    assert!(own.timed_out() && own.heartbeats == 5);
}

#[test]
fn a_heartbeat_after_the_timeout_is_refused() {
    let (mut world, id) = waiting(hooked(1));
    world.pass(600);
    assert!(world.heartbeat(&id, "terminate").is_err());
}

#[test]
fn heartbeats_cannot_outlast_a_hundred_timeouts() {
    let mut world = World::in_service(plain(1).hook(terminating().timeout(secs(30))));
    let id = world.ids()[0].clone();
    world.terminate(&id);
    world.pass(7 + 5);
    let opened = world.region.actions()[0].opened_at;
    while world.state(&id) == LifecycleState::TerminatingWait {
        world.heartbeat(&id, "terminate").unwrap();
        world.pass(10);
    }
    let lasted = world.region.actions()[0].ending.as_ref().unwrap().at.since(opened);
    assert_eq!(lasted, secs(3000));
}

#[test]
fn nothing_outlasts_48_hours() {
    assert_eq!(launching().timeout(secs(7200)).global_timeout(), secs(48 * 3600));
    assert_eq!(launching().timeout(secs(30)).global_timeout(), secs(50 * 60));
}

#[test]
fn a_call_for_another_group_or_hook_or_instance_is_refused() {
    let (mut world, id) = waiting(hooked(1));
    let (group, hook, own) = (world.group.clone(), HookName::new("terminate"), ActionReference::from(&id));
    refused(
        world.api().heartbeat(&"other".into(), &hook, &own),
        "ValidationError",
        "AutoScalingGroup name not found - AutoScalingGroup other not found",
    );
    assert_eq!(world.api().heartbeat(&group, &"other".into(), &own).unwrap_err().code, "ValidationError");
    let stranger = ActionReference::Instance("i-00000000000000000".into());
    refused(
        world.api().heartbeat(&group, &hook, &stranger),
        "ValidationError",
        "No active Lifecycle Action found with instance ID i-00000000000000000",
    );
    let twin = GroupSpec::new("twin", 0).hook(terminating());
    world.region.create_group(twin, world.now).unwrap();
    assert!(world.api().heartbeat(&"twin".into(), &hook, &own).is_err(), "the hook of that name in another group");
    world.api().heartbeat(&group, &hook, &own).unwrap();
}

#[test]
fn a_launching_hook_is_not_a_terminating_one() {
    let (mut world, id) = waiting(hooked(1));
    assert!(world.complete(&id, "launch", ActionResult::Continue).is_err());
}

#[test]
fn the_deadline_of_an_open_action_can_be_read() {
    let (mut world, id) = waiting(hooked(1));
    let hook = HookName::new("terminate");
    let opened = world.region.actions().last().unwrap().opened_at;
    assert_eq!(world.region.action_deadline(&id, &hook), Some(opened + secs(600)));
    world.complete(&id, "terminate", ActionResult::Continue).unwrap();
    assert_eq!(world.region.action_deadline(&id, &hook), None::<Timestamp>);
}
