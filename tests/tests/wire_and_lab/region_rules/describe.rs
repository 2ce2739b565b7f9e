//! What the describes show, and when they do not show the truth.

use quorate_core::ids::InstanceId;
use quorate_lab::region::{Caller, Delays, Ec2State, InstanceFilter, LifecycleState, RegionConfig, Service, View, ViewRule};

use crate::region_rules::world::{OPERATOR, World, delays, hooked, plain, refused, secs};

fn listed(world: &mut World) -> Vec<InstanceId> {
    world.api().describe_instances(&[], &[]).unwrap().into_iter().map(|view| view.id).collect()
}

fn members(world: &mut World) -> Vec<LifecycleState> {
    let groups = world.api().describe_groups(&[], &[]);
    groups.into_iter().flat_map(|group| group.members).map(|member| member.lifecycle).collect()
}

fn show(world: &mut World, service: Service, caller: Option<InstanceId>, view: View) {
    world.region.add_view(ViewRule { service, caller, view });
}

#[test]
fn a_terminated_instance_is_described_for_an_hour_and_then_unknown() {
    let mut world = World::in_service(plain(1));
    let id = world.ids()[0].clone();
    world.terminate(&id);
    world.pass(7 + 60);
    let view = world.api().describe_instances(std::slice::from_ref(&id), &[]).unwrap().remove(0);
    assert_eq!((view.state, view.address), (Ec2State::Terminated, None));
    world.pass(3600);
    assert!(listed(&mut world).contains(&id));
    world.pass(1);
    assert!(!listed(&mut world).contains(&id));
    let message = format!("The instance ID '{id}' does not exist");
    refused(world.api().describe_instances(&[id], &[]), "InvalidInstanceID.NotFound", &message);
}

#[test]
fn a_new_instance_is_unknown_until_it_is_listed() {
    let config = RegionConfig { delays: Delays { listing: secs(60), ..delays() }, ..RegionConfig::default() };
    let mut world = World::with(config, plain(1));
    let id = world.ids()[0].clone();
    world.pass(59);
    assert!(listed(&mut world).is_empty() && members(&mut world).is_empty());
    assert!(world.api().describe_instances(std::slice::from_ref(&id), &[]).is_err());
    world.pass(1);
    assert_eq!(listed(&mut world), [id]);
    assert_eq!(members(&mut world).len(), 1);
}

#[test]
fn one_value_of_a_tag_is_enough() {
    let mut world = World::in_service(plain(2));
    let tag = |value: &str| InstanceFilter::Tag("quorate:cluster".into(), vec!["none".into(), value.into()]);
    let mut count = |filter| world.api().describe_instances(&[], &[filter]).unwrap().len();
    assert_eq!((count(tag("prod")), count(tag("test"))), (2, 0));
}

#[test]
fn a_lagging_view_shows_the_past() {
    let mut world = World::in_service(hooked(1));
    let (id, group) = (world.ids()[0].clone(), world.group.clone());
    world.pass(100);
    world.api().set_desired_capacity(&group, 2).unwrap();
    world.terminate(&id);
    assert_eq!(members(&mut world)[0], LifecycleState::Terminating);
    show(&mut world, Service::AutoScaling, None, View::Lag(secs(5)));
    assert_eq!(members(&mut world), [LifecycleState::InService]);
    assert_eq!(world.api().describe_groups(&[], &[])[0].sizes.desired, 1);
    assert_eq!(listed(&mut world).len(), 3, "the other service is not behind");
    world.pass(5);
    assert_eq!(members(&mut world)[0], LifecycleState::Terminating);
}

#[test]
fn a_lagging_view_still_shows_whoever_departed_since() {
    let mut world = World::in_service(plain(1));
    let id = world.ids()[0].clone();
    world.terminate(&id);
    world.pass(7 + 60 + 4);
    assert!(!world.ids().contains(&id));
    show(&mut world, Service::AutoScaling, None, View::Lag(secs(30)));
    let shown: Vec<_> = world.api().describe_groups(&[], &[]).remove(0).members.into_iter().map(|member| member.id).collect();
    assert!(shown.contains(&id));
}

#[test]
fn a_short_view_hides_from_lists_but_not_by_id() {
    let mut world = World::in_service(plain(3));
    let id = world.ids()[0].clone();
    show(&mut world, Service::Ec2, None, View::Short(vec![id.clone()]));
    assert_eq!(listed(&mut world).len(), 2);
    assert_eq!(world.api().describe_instances(&[id], &[]).unwrap().len(), 1);
    assert_eq!(members(&mut world).len(), 3);
}

#[test]
fn a_missing_instance_is_missing_by_id_too() {
    let mut world = World::in_service(plain(3));
    let id = world.ids()[0].clone();
    show(&mut world, Service::Ec2, None, View::Missing(vec![id.clone()]));
    assert_eq!(listed(&mut world).len(), 2);
    assert_eq!(world.api().describe_instances(&[id], &[]).unwrap_err().code, "InvalidInstanceID.NotFound");
}

#[test]
fn an_empty_view_is_empty_for_whom_it_is_meant_and_can_be_taken_back() {
    let mut world = World::in_service(plain(2));
    let (id, now) = (world.ids()[0].clone(), world.now);
    let rule = ViewRule { service: Service::Ec2, caller: Some(id.clone()), view: View::Empty };
    let view = world.region.add_view(rule);
    let count = |world: &mut World, caller: &Caller| world.region.api(caller, now).describe_instances(&[], &[]).unwrap().len();
    let own = Caller::Instance(id);
    let other = Caller::Instance(world.ids()[1].clone());
    assert_eq!((count(&mut world, &own), count(&mut world, &other), count(&mut world, &OPERATOR)), (0, 2, 2));
    world.region.remove_view(view);
    assert_eq!(count(&mut world, &own), 2);
}

#[test]
fn whoever_jumps_from_timer_to_timer_misses_nothing() {
    let (mut jumping, mut ticking) = (World::new(hooked(3)), World::new(hooked(3)));
    let (victim, end) = (jumping.ids()[0].clone(), jumping.now + secs(2000));
    jumping.region.hard_kill(&victim, jumping.now);
    ticking.region.hard_kill(&victim, ticking.now);
    let mut jumps = 0;
    while let Some(at) = jumping.region.next_timer().filter(|at| *at <= end) {
        jumping.now = at;
        jumping.pass(0);
        jumps += 1;
    }
    while ticking.now < end {
        ticking.pass(1);
    }
    assert_eq!(jumping.events, ticking.events);
    let history = |world: &World| world.region.instances().iter().map(|one| one.history().to_vec()).collect::<Vec<_>>();
    assert_eq!(history(&jumping), history(&ticking));
    assert!(jumps < 150, "{jumps} jumps");
}
