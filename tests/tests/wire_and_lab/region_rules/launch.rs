//! The way into service.

use quorate_core::ids::InstanceId;
use quorate_lab::region::{ActionResult, AddressRange, Ec2State, Event, GroupSpec, LifecycleState, RegionConfig, Target};

use crate::region_rules::world::{World, delays, hooked, plain};

#[test]
fn imds_has_no_target_state_before_the_first_transition_is_prepared() {
    let mut world = World::new(hooked(1));
    let id = world.ids()[0].clone();
    assert_eq!((world.ec2(&id), world.state(&id), world.target(&id)), (Ec2State::Pending, LifecycleState::Pending, None));
    world.pass(10);
    assert_eq!((world.ec2(&id), world.target(&id)), (Ec2State::Running, None));
    assert!(world.told(&Event::Launch(id)));
}

#[test]
fn imds_says_in_service_while_the_launching_hook_still_holds_the_instance_back() {
    let mut world = World::new(hooked(1));
    let id = world.ids()[0].clone();
    world.pass(11);
    assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::PendingWait, Some(Target::InService)));
}

#[test]
fn a_completed_hook_leads_into_service_through_proceed() {
    let mut world = World::new(hooked(1));
    let id = world.ids()[0].clone();
    world.pass(11 + 3);
    world.complete(&id, "launch", ActionResult::Continue).unwrap();
    assert_eq!(world.state(&id), LifecycleState::PendingProceed);
    world.pass(1);
    assert_eq!(world.state(&id), LifecycleState::InService);
}

#[test]
fn without_a_hook_nothing_is_waited_for() {
    let mut world = World::new(plain(1));
    world.pass(11);
    assert_eq!(world.states(), [LifecycleState::InService]);
    assert_eq!(world.region.action_statistics().opened, 0);
}

#[test]
fn an_abandoned_launch_is_terminated_and_replaced() {
    let mut world = World::new(hooked(1));
    let id = world.ids()[0].clone();
    world.pass(11 + 3);
    world.complete(&id, "launch", ActionResult::Abandon).unwrap();
    assert_eq!(world.state(&id), LifecycleState::Terminating);
    assert_eq!(world.ids().len(), 2, "the replacement is launched at once");
    world.pass(7);
    assert_eq!(world.state(&id), LifecycleState::TerminatingWait);
}

#[test]
fn a_launch_hook_that_times_out_takes_its_default_result() {
    for (default, expected) in
        [(ActionResult::Continue, LifecycleState::PendingProceed), (ActionResult::Abandon, LifecycleState::Terminating)]
    {
        let hook = crate::region_rules::world::launching().default_result(default);
        let mut world = World::new(GroupSpec::new("etcd", 1).hook(hook));
        let id = world.ids()[0].clone();
        world.pass(11 + 599);
        assert_eq!(world.state(&id), LifecycleState::PendingWait);
        world.pass(1);
        assert_eq!(world.state(&id), expected);
        assert!(world.region.actions()[0].timed_out());
    }
}

#[test]
fn equal_seeds_give_equal_ids_and_different_seeds_do_not() {
    let ids = |seed| -> Vec<InstanceId> {
        let config = RegionConfig { seed, ..RegionConfig::default() };
        World::with(config, plain(3)).ids()
    };
    assert_eq!(ids(7), ids(7));
    assert_ne!(ids(7), ids(8));
    assert!(ids(7).iter().all(|id| id.as_str().len() == 19 && id.as_str().starts_with("i-0")));
}

/// Kills one of two instances for good and returns the address of its replacement.
fn address_of_replacement(reuse: bool) -> (std::net::IpAddr, std::net::IpAddr) {
    let addresses = AddressRange { reuse, ..AddressRange::default() };
    let mut world = World::with(RegionConfig { addresses, delays: delays(), ..RegionConfig::default() }, plain(2));
    world.pass(20);
    let victim = world.ids()[0].clone();
    let old = world.instance(&victim).address;
    world.region.hard_kill(&victim, world.now);
    world.pass(20 + 30);
    let newest = world.region.instances().last().unwrap();
    (old, newest.address)
}

#[test]
fn a_freed_address_is_given_out_again_where_that_is_asked_for() {
    let (old, new) = address_of_replacement(true);
    assert_eq!(old, new);
    let (old, new) = address_of_replacement(false);
    assert_ne!(old, new);
}

#[test]
fn a_subnet_without_addresses_launches_nothing() {
    let addresses = AddressRange { size: 2, ..AddressRange::default() };
    let world = World::with(RegionConfig { addresses, ..RegionConfig::default() }, plain(3));
    assert_eq!(world.ids().len(), 2);
}
