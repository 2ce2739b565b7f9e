//! Machines that fail, and how the group finds out.

use quorate_lab::region::{Ec2State, Event, Health, LifecycleState};

use crate::region_rules::world::{World, hooked, plain};

#[test]
fn an_unhealthy_instance_is_terminated_and_replaced() {
    let mut world = World::in_service(hooked(2));
    let id = world.ids()[0].clone();
    world.api().set_instance_health(&id, Health::Unhealthy).unwrap();
    world.pass(4);
    assert_eq!((world.state(&id), world.ids().len()), (LifecycleState::InService, 2));
    world.pass(1);
    assert_eq!((world.state(&id), world.ids().len()), (LifecycleState::Terminating, 3));
}

#[test]
fn an_instance_found_healthy_again_in_time_is_left_alone() {
    let mut world = World::in_service(hooked(2));
    let id = world.ids()[0].clone();
    world.api().set_instance_health(&id, Health::Unhealthy).unwrap();
    world.api().set_instance_health(&id, Health::Healthy).unwrap();
    world.pass(100);
    assert_eq!(world.state(&id), LifecycleState::InService);
}

#[test]
fn a_lost_machine_is_noticed_by_ec2_and_then_by_the_group() {
    let mut world = World::in_service(hooked(2));
    let id = world.ids()[0].clone();
    world.region.hard_kill(&id, world.now);
    world.pass(19);
    assert!(world.told(&Event::PowerOff(id.clone())), "the host cuts the power at once");
    assert_eq!((world.ec2(&id), world.instance(&id).powered), (Ec2State::Running, false));
    world.pass(1);
    assert_eq!((world.ec2(&id), world.state(&id)), (Ec2State::Terminated, LifecycleState::InService));
    world.pass(30);
    assert_eq!((world.state(&id), world.ids().len()), (LifecycleState::Terminating, 3));
    assert_eq!(world.instance(&id).health, Health::Unhealthy);
}

#[test]
fn a_machine_lost_in_its_terminating_hook_keeps_the_hook_open() {
    let mut world = World::in_service(hooked(1));
    let id = world.ids()[0].clone();
    world.terminate(&id);
    world.pass(10);
    world.region.hard_kill(&id, world.now);
    world.pass(100);
    assert_eq!((world.state(&id), world.ec2(&id)), (LifecycleState::TerminatingWait, Ec2State::Terminated));
    world.pass(600);
    assert!(!world.ids().contains(&id), "until it times out");
}

#[test]
fn a_machine_lost_in_its_launching_hook_is_replaced() {
    let mut world = World::new(hooked(1));
    let id = world.ids()[0].clone();
    world.pass(14);
    world.region.hard_kill(&id, world.now);
    world.pass(50);
    assert_eq!((world.state(&id), world.ids().len()), (LifecycleState::Terminating, 2));
}

#[test]
fn terminating_by_ec2_gives_no_hook_time() {
    let mut world = World::in_service(hooked(2));
    let id = world.ids()[0].clone();
    world.api().terminate_instances(std::slice::from_ref(&id)).unwrap();
    world.pass(0);
    assert_eq!((world.ec2(&id), world.state(&id)), (Ec2State::ShuttingDown, LifecycleState::InService));
    assert!(world.told(&Event::Shutdown(id.clone())));
    world.pass(30);
    assert_eq!(world.state(&id), LifecycleState::Terminating);
    world.pass(30);
    assert_eq!((world.ec2(&id), world.state(&id)), (Ec2State::Terminated, LifecycleState::TerminatingWait));
    assert!(world.told(&Event::PowerOff(id)));
}

#[test]
fn a_machine_that_powers_itself_off_is_replaced_and_terminated() {
    let mut world = World::in_service(plain(1));
    let id = world.ids()[0].clone();
    world.region.guest_poweroff(&id, world.now);
    assert_eq!(world.ec2(&id), Ec2State::Stopped);
    world.pass(30);
    assert_eq!((world.state(&id), world.ids().len()), (LifecycleState::Terminating, 2));
    world.pass(7);
    assert_eq!(world.ec2(&id), Ec2State::Terminated);
}

#[test]
fn a_stopped_machine_in_standby_is_left_there() {
    let mut world = World::in_service(plain(1).sizes(0, 2, 1));
    let id = world.ids()[0].clone();
    world.api().enter_standby(&id, true).unwrap();
    world.region.stop_instance(&id, world.now);
    world.pass(0);
    assert_eq!(world.ec2(&id), Ec2State::Stopping);
    world.region.guest_poweroff(&id, world.now);
    world.pass(100);
    assert_eq!((world.ec2(&id), world.state(&id)), (Ec2State::Stopped, LifecycleState::Standby));
    // Back in service its group finds out.
    world.api().exit_standby(&id).unwrap();
    world.pass(30);
    assert_eq!(world.state(&id), LifecycleState::Terminating);
}
