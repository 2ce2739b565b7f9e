//! Standby and detachment. No hook runs for either.

use quorate_lab::region::{LifecycleState, Target};

use crate::region_rules::world::{World, hooked};

#[test]
fn standby_is_told_by_imds_alone_and_the_way_back_is_open() {
    let mut world = World::in_service(hooked(2));
    let (id, group) = (world.ids()[0].clone(), world.group.clone());
    let opened = world.region.action_statistics().opened;
    world.api().enter_standby(&id, true).unwrap();
    assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::Standby, Some(Target::Standby)));
    assert_eq!(world.region.action_statistics().opened, opened);
    assert!(world.api().enter_standby(&id, true).is_err(), "it is there already");
    world.api().exit_standby(&id).unwrap();
    assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::InService, Some(Target::InService)));
    assert_eq!(world.region.group(&group).unwrap().sizes.desired, 2);
    assert!(world.api().exit_standby(&id).is_err());
}

/// Its health is not checked there: the group lists it for as long as it stays, and replaces it once it is back in service.
#[test]
fn who_ended_in_standby_is_listed_until_it_is_back_in_service() {
    let mut world = World::in_service(hooked(2));
    let id = world.ids()[0].clone();
    world.api().enter_standby(&id, true).unwrap();
    world.api().terminate_instances(std::slice::from_ref(&id)).unwrap();
    world.pass(10_000);
    assert!(world.ids().contains(&id) && !world.instance(&id).alive());
    world.api().exit_standby(&id).unwrap();
    world.pass(1000);
    assert_ne!(world.state(&id), LifecycleState::InService);
}

#[test]
fn standby_without_a_decrement_is_replaced() {
    let mut world = World::in_service(hooked(2));
    let id = world.ids()[0].clone();
    world.api().enter_standby(&id, false).unwrap();
    assert_eq!(world.ids().len(), 3);
}

#[test]
fn a_detached_instance_lives_on_outside() {
    let mut world = World::in_service(hooked(2));
    let id = world.ids()[0].clone();
    world.api().detach(&id, true).unwrap();
    world.pass(1000);
    let instance = world.instance(&id);
    assert!(instance.powered && !instance.member);
    assert_eq!((instance.lifecycle, instance.metadata.target), (LifecycleState::Detached, Some(Target::Detached)));
    assert!(instance.tags.iter().all(|tag| &*tag.key != "aws:autoscaling:groupName"));
    assert_eq!(world.ids().len(), 1);
}

#[test]
fn every_word_is_parsed_back_from_its_spelling() {
    for state in LifecycleState::ALL {
        assert_eq!(LifecycleState::parse(state.as_str()), Some(*state));
    }
    assert_eq!(LifecycleState::parse("Terminating:Retained"), Some(LifecycleState::TerminatingRetained));
    assert_eq!(LifecycleState::parse("terminating"), None);
}
