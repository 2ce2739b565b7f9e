//! The way out of the group.

use quorate_core::ids::InstanceId;
use quorate_lab::region::{ActionResult, Caller, Ec2State, Event, LifecycleState, Target};

use crate::region_rules::world::{OPERATOR, World, hooked, plain, refused, retaining, waiting};

#[test]
fn imds_says_terminated_before_the_wait_state_begins() {
    let mut world = World::in_service(hooked(1));
    let id = world.ids()[0].clone();
    world.terminate(&id);
    assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::Terminating, Some(Target::InService)));
    world.pass(2);
    assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::Terminating, Some(Target::Terminated)));
    world.pass(5);
    assert_eq!(world.state(&id), LifecycleState::TerminatingWait);
}

#[test]
fn nothing_can_be_completed_before_the_wait_state_nor_in_its_first_moments() {
    let mut world = World::in_service(hooked(1));
    let id = world.ids()[0].clone();
    let message = format!("No active Lifecycle Action found with instance ID {id}");
    world.terminate(&id);
    refused(world.complete(&id, "terminate", ActionResult::Continue), "ValidationError", &message);
    world.pass(7 + 2);
    assert_eq!(world.state(&id), LifecycleState::TerminatingWait, "described as waiting, and yet refused");
    refused(world.complete(&id, "terminate", ActionResult::Continue), "ValidationError", &message);
    refused(world.heartbeat(&id, "terminate"), "ValidationError", &message);
    world.pass(1);
    world.complete(&id, "terminate", ActionResult::Continue).unwrap();
}

#[test]
fn a_completed_hook_leads_to_the_machines_end() {
    let (mut world, id) = waiting(hooked(1));
    world.complete(&id, "terminate", ActionResult::Continue).unwrap();
    assert_eq!((world.state(&id), world.ec2(&id)), (LifecycleState::TerminatingProceed, Ec2State::Running));
    world.pass(1);
    assert_eq!(world.ec2(&id), Ec2State::ShuttingDown);
    assert!(world.told(&Event::Shutdown(id.clone())) && !world.told(&Event::PowerOff(id.clone())));
    world.pass(60);
    assert_eq!((world.state(&id), world.ec2(&id)), (LifecycleState::Terminated, Ec2State::Terminated));
    assert!(world.told(&Event::PowerOff(id.clone())));
    world.pass(4);
    assert!(!world.ids().contains(&id));
}

#[test]
fn a_machine_that_shuts_down_by_itself_ends_the_wait() {
    let mut world = World::in_service(plain(1));
    let id = world.ids()[0].clone();
    world.terminate(&id);
    world.pass(8);
    world.region.guest_poweroff(&id, world.now);
    assert_eq!(world.ec2(&id), Ec2State::Terminated);
}

#[test]
fn every_result_ends_in_termination_unless_an_abandoned_one_is_retained() {
    for (spec, result) in [(hooked(1), ActionResult::Continue), (hooked(1), ActionResult::Abandon), (retaining(1), ActionResult::Continue)]
    {
        let (mut world, id) = waiting(spec);
        world.complete(&id, "terminate", result).unwrap();
        world.pass(1 + 60);
        assert_eq!(world.ec2(&id), Ec2State::Terminated);
    }
}

#[test]
fn an_abandoned_termination_is_retained_where_the_policy_says_so() {
    let (mut world, id) = waiting(retaining(1));
    world.complete(&id, "terminate", ActionResult::Abandon).unwrap();
    world.pass(1000);
    assert_eq!((world.state(&id), world.ec2(&id)), (LifecycleState::TerminatingRetained, Ec2State::Running));
    world.terminate(&id);
    world.pass(1 + 60 + 4);
    assert_eq!(world.ec2(&id), Ec2State::Terminated);
    assert!(!world.ids().contains(&id));
}

#[test]
fn a_timeout_retains_only_if_the_default_result_is_abandon() {
    for (default, expected) in
        [(ActionResult::Abandon, LifecycleState::TerminatingRetained), (ActionResult::Continue, LifecycleState::TerminatingProceed)]
    {
        let mut spec = plain(1).hook(crate::region_rules::world::terminating().default_result(default));
        spec.retain_on_abandon = true;
        let mut world = World::in_service(spec);
        let id = world.ids()[0].clone();
        world.terminate(&id);
        world.pass(7 + 600);
        assert_eq!(world.state(&id), expected);
    }
}

#[test]
fn a_retained_machine_that_dies_leaves_the_group() {
    let (mut world, id) = waiting(retaining(1));
    world.complete(&id, "terminate", ActionResult::Abandon).unwrap();
    world.region.hard_kill(&id, world.now);
    world.pass(20 + 30 + 1 + 4);
    assert!(!world.ids().contains(&id));
}

#[test]
fn the_hook_of_a_dead_instance_opens_and_a_survivor_may_complete_it() {
    let mut world = World::in_service(hooked(2));
    let (dead, survivor) = (world.ids()[0].clone(), world.ids()[1].clone());
    world.region.hard_kill(&dead, world.now);
    world.pass(20 + 30 + 7 + 3);
    assert_eq!((world.state(&dead), world.ec2(&dead)), (LifecycleState::TerminatingWait, Ec2State::Terminated));
    let caller = Caller::Instance(survivor);
    world.complete_as(&caller, &dead, "terminate", ActionResult::Continue).unwrap();
    let action = world.region.actions().last().unwrap();
    assert_eq!(action.completed_by(), Some(&caller));
    assert!(!action.completed_over_its_head());
    world.pass(1 + 4);
    assert!(!world.ids().contains(&dead));
}

#[test]
fn a_completion_over_the_head_of_a_living_instance_is_noted() {
    let mut world = World::in_service(hooked(2));
    let (victim, other) = (world.ids()[0].clone(), world.ids()[1].clone());
    world.terminate(&victim);
    world.pass(10);
    world.complete_as(&Caller::Instance(other), &victim, "terminate", ActionResult::Continue).unwrap();
    assert!(world.region.actions().last().unwrap().completed_over_its_head());
}

#[test]
fn an_instance_terminated_while_it_launches_loses_its_open_action() {
    let mut world = World::new(hooked(1));
    let id = world.ids()[0].clone();
    world.pass(14);
    world.terminate(&id);
    assert!(world.complete(&id, "launch", ActionResult::Continue).is_err());
    assert_eq!(world.region.action_statistics().superseded, 1);
}

#[test]
fn a_second_completion_by_another_is_refused_and_remembered() {
    let (mut world, id) = waiting(hooked(1));
    world.complete(&id, "terminate", ActionResult::Continue).unwrap();
    assert!(world.complete(&id, "terminate", ActionResult::Continue).is_err(), "its own retry");
    assert_eq!(world.region.double_completed().count(), 0);
    assert!(world.complete_as(&OPERATOR, &id, "terminate", ActionResult::Continue).is_err());
    assert_eq!(world.region.double_completed().count(), 1);
}

#[test]
fn a_whole_group_is_terminated_in_one_call() {
    let mut world = World::in_service(hooked(3));
    let (all, group) = (world.ids(), world.group.clone());
    world.api().terminate_several(&group, &all, false).unwrap();
    world.pass(7);
    assert!(all.iter().all(|id| world.state(id) == LifecycleState::TerminatingWait));
    assert_eq!(world.ids().len(), 6, "each is replaced");
}

#[test]
fn several_are_terminated_or_none() {
    let mut world = World::in_service(plain(2).sizes(1, 3, 2));
    let (all, group) = (world.ids(), world.group.clone());
    let stranger = InstanceId::new("i-none");
    assert!(world.api().terminate_several(&group, &[all[0].clone(), stranger], false).is_err());
    assert!(world.api().terminate_several(&group, &[], false).is_err());
    assert!(world.api().terminate_several(&group, &vec![all[0].clone(); 101], false).is_err());
    assert!(world.api().terminate_several(&group, &all, true).is_err(), "its minimum is one");
    assert!(all.iter().all(|id| world.state(id) == LifecycleState::InService));
}

#[test]
fn where_the_shutdown_is_skipped_no_power_button_is_pressed() {
    let mut world = World::in_service(hooked(2));
    let (first, second) = (world.ids()[0].clone(), world.ids()[1].clone());
    world.api().terminate_at_once(std::slice::from_ref(&first)).unwrap();
    world.api().stop_instances(std::slice::from_ref(&second), true).unwrap();
    world.pass(0);
    assert_eq!((world.ec2(&first), world.ec2(&second)), (Ec2State::Terminated, Ec2State::Stopped));
    for id in [first, second] {
        assert!(world.told(&Event::PowerOff(id.clone())) && !world.told(&Event::Shutdown(id)));
    }
}
