//! What the describes show, and when they do not show the truth.

use quorate_core::ids::{GroupName, InstanceId};
use quorate_lab::region::{
    Call, Caller, Delays, Ec2State, GroupFilter, InstanceFilter, LifecycleState, RegionConfig, Service, View, ViewRule,
};

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
fn a_group_that_is_not_there_has_no_warm_pool_and_one_without_a_pool_has_an_empty_one() {
    let mut world = World::in_service(plain(1));
    let (group, other) = (world.group.clone(), GroupName::new("other"));
    let (pool, spares) = world.api().describe_warm_pool(&group).unwrap();
    assert!(pool.is_none() && spares.is_empty());
    let message = "AutoScalingGroup name not found - AutoScalingGroup other not found";
    refused(world.api().describe_warm_pool(&other), "ValidationError", message);
    refused(world.api().describe_hooks(&other, &[]), "ValidationError", message);
    refused(world.api().describe_instance_refreshes(&other), "ValidationError", message);
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
fn filters_all_hold_and_one_value_of_each_is_enough() {
    let mut world = World::in_service(plain(2));
    let (id, address) = (world.ids()[0].clone(), world.region.instances()[0].address.to_string());
    let tag = |value: &str| InstanceFilter::Tag("quorate:cluster".into(), vec!["none".into(), value.into()]);
    let mut count = |filters: &[InstanceFilter]| world.api().describe_instances(&[], filters).unwrap().len();
    assert_eq!(count(&[tag("prod")]), 2);
    assert_eq!(count(&[tag("test")]), 0);
    assert_eq!(count(&[tag("prod"), InstanceFilter::State(vec![Ec2State::Running])]), 2);
    assert_eq!(count(&[tag("prod"), InstanceFilter::State(vec![Ec2State::Stopped])]), 0);
    assert_eq!(count(&[InstanceFilter::Id(vec![id])]), 1);
    assert_eq!(count(&[InstanceFilter::Address(vec![address])]), 1);
    assert_eq!(count(&[InstanceFilter::TagKey(vec!["aws:autoscaling:groupName".into()])]), 2);
    assert_eq!(count(&[InstanceFilter::Zone(vec!["eu-central-1a".into()])]), 2);
}

#[test]
fn groups_are_found_by_name_and_tag_and_unknown_names_are_left_out() {
    let mut world = World::in_service(plain(1));
    let tag = |value: &str| [GroupFilter::Tag("quorate:cluster".into(), vec![value.into()])];
    assert_eq!(world.api().describe_groups(&[], &tag("prod")).len(), 1);
    assert_eq!(world.api().describe_groups(&[], &tag("test")).len(), 0);
    assert_eq!(world.api().describe_groups(&[GroupName::new("etcd"), GroupName::new("none")], &[]).len(), 1);
    assert_eq!(world.api().describe_groups(&[GroupName::new("none")], &[]).len(), 0);
    assert_eq!(world.api().describe_groups(&[], &[GroupFilter::TagKey(vec!["quorate:cluster".into()])]).len(), 1);
    assert_eq!(world.api().describe_groups(&[], &[GroupFilter::TagValue(vec!["other".into()])]).len(), 0);
    assert!(world.api().describe_hooks(&GroupName::new("none"), &[]).is_err());
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
fn calls_are_counted_by_caller() {
    let mut world = World::in_service(plain(1));
    let id = world.ids()[0].clone();
    let own = Caller::Instance(id.clone());
    let (before, now) = (world.region.calls().of(&OPERATOR, Call::DescribeInstances), world.now);
    world.region.api(&own, now).describe_instances(&[], &[]).unwrap();
    let _ = world.region.api(&own, now).describe_instances(&["i-none".into()], &[]);
    assert_eq!(world.region.calls().of(&own, Call::DescribeInstances), 2, "refused calls count too");
    assert_eq!(world.region.calls().total(&own), 2);
    assert_eq!(world.region.calls().of(&OPERATOR, Call::DescribeInstances), before);
    assert!(world.region.calls().iter().any(|(caller, call, count)| *caller == own && call == Call::DescribeInstances && count == 2));
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
