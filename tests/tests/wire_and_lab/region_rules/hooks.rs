//! Lifecycle actions: heartbeats, caps, several hooks side by side.

use quorate_core::ids::HookName;
use quorate_core::time::Timestamp;
use quorate_lab::region::{ActionReference, ActionResult, GroupSpec, HookSpec, LifecycleState, RegionConfig, Transition};

use crate::region_rules::world::{World, delays, hooked, launching, plain, refused, retaining, secs, terminating, waiting};

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
fn hooks_run_side_by_side_and_each_is_completed_by_its_own_name() {
    let second = HookSpec::new("backup", Transition::Terminating).timeout(secs(600));
    let (mut world, id) = waiting(hooked(1).hook(second));
    world.complete(&id, "terminate", ActionResult::Continue).unwrap();
    assert_eq!(world.state(&id), LifecycleState::TerminatingWait, "the other hook still holds it");
    assert!(world.complete(&id, "terminate", ActionResult::Continue).is_err());
    world.complete(&id, "backup", ActionResult::Continue).unwrap();
    assert_eq!(world.state(&id), LifecycleState::TerminatingProceed);
}

#[test]
fn an_abandoned_termination_skips_the_other_hooks() {
    let second = HookSpec::new("backup", Transition::Terminating).timeout(secs(600));
    let (mut world, id) = waiting(hooked(1).hook(second));
    world.complete(&id, "terminate", ActionResult::Abandon).unwrap();
    assert_eq!(world.state(&id), LifecycleState::TerminatingProceed);
    assert!(world.complete(&id, "backup", ActionResult::Continue).is_err());
    assert_eq!(world.region.action_statistics().superseded, 1);
}

#[test]
fn an_action_can_be_named_by_its_token() {
    let (mut world, id) = waiting(hooked(1));
    let (group, hook) = (world.group.clone(), HookName::new("terminate"));
    let wrong = ActionReference::Token("f66c3d47-e602-4af0-8edd-d4e4d2fe4620".into());
    refused(
        world.api().complete(&group, &hook, &wrong, ActionResult::Continue),
        "ValidationError",
        "No active Lifecycle Action found with token f66c3d47-e602-4af0-8edd-d4e4d2fe4620",
    );
    let token = ActionReference::Token(world.region.actions().last().unwrap().token.to_string());
    world.api().heartbeat(&group, &hook, &token).unwrap();
    world.api().complete(&group, &hook, &token, ActionResult::Continue).unwrap();
    assert_eq!(world.state(&id), LifecycleState::TerminatingProceed);
    assert!(world.api().complete(&group, &hook, &token, ActionResult::Continue).is_err());
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
fn deleting_a_hook_completes_its_actions() {
    let (mut world, id) = waiting(retaining(1));
    let group = world.group.clone();
    world.api().delete_hook(&group, &HookName::new("terminate")).unwrap();
    assert_eq!(world.state(&id), LifecycleState::TerminatingProceed, "a deleted terminating hook continues");

    let mut world = World::new(hooked(1));
    let id = world.ids()[0].clone();
    world.pass(14);
    world.api().delete_hook(&group, &HookName::new("launch")).unwrap();
    assert_eq!(world.state(&id), LifecycleState::Terminating, "a deleted launching hook abandons");
    assert!(world.api().delete_hook(&group, &HookName::new("launch")).is_err());
}

#[test]
fn a_hook_put_later_misses_the_actions_of_before_and_binds_those_of_after() {
    let mut world = World::in_service(plain(1));
    let (group, id) = (world.group.clone(), world.ids()[0].clone());
    assert_eq!(world.region.action_statistics().opened, 0);
    world.api().put_hook(&group, terminating()).unwrap();
    world.terminate(&id);
    world.pass(7);
    assert_eq!(world.state(&id), LifecycleState::TerminatingWait);
}

#[test]
fn timeouts_outside_30_to_7200_seconds_are_refused_unless_the_region_allows_shorter_ones() {
    let mut world = World::in_service(plain(1));
    let group = world.group.clone();
    for (timeout, accepted) in [(29, false), (30, true), (7200, true), (7201, false)] {
        let answer = world.api().put_hook(&group, terminating().timeout(secs(timeout)));
        assert_eq!(answer.is_ok(), accepted, "{timeout} s");
    }
    let config = RegionConfig { delays: delays(), shortest_heartbeat_timeout: secs(1), ..RegionConfig::default() };
    let mut quick = World::with(config, plain(1));
    quick.api().put_hook(&group, terminating().timeout(secs(1))).unwrap();
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
