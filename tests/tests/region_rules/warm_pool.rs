//! Warm pools: the way in, the way out, the way back, and what is refused there.

use quorate_core::ids::InstanceId;
use quorate_lab::region::{ActionResult, Ec2State, Event, LifecycleState, PoolState, Target, Transition, WarmPool};

use crate::world::{World, hooked, plain, refused, secs};

/// Lets time pass; the host carries out events at once, and every hook is completed.
fn run(world: &mut World, seconds: u64) {
    for _ in 0..seconds {
        let known = world.events.len();
        world.pass(1);
        switch_off(world, known);
        let open: Vec<_> = world.region.actions().iter().filter(|a| a.open()).map(|a| (a.instance.clone(), a.hook.clone())).collect();
        for (id, hook) in open {
            let _ = world.complete(&id, hook.as_str(), ActionResult::Continue);
        }
    }
}

fn switch_off(world: &mut World, known: usize) {
    let events = world.events[known..].to_vec();
    for event in events {
        if let Event::Shutdown(id) | Event::Hibernate(id) = event {
            world.region.guest_poweroff(&id, world.now);
        }
    }
}

fn spare(world: &World) -> InstanceId {
    world.region.spare_instances(&world.group).next().expect("a spare").clone()
}

fn history(world: &World, id: &InstanceId) -> Vec<&'static str> {
    let mut states: Vec<_> = world.instance(id).history().iter().map(|look| look.lifecycle.as_str()).collect();
    states.dedup();
    states
}

fn hooks_of(world: &World, id: &InstanceId) -> Vec<Transition> {
    world.region.actions().iter().filter(|action| action.instance == *id).map(|action| action.transition).collect()
}

/// A group of two with this pool, everything at rest.
fn rested(pool: WarmPool) -> World {
    let mut world = World::new(hooked(2).warm_pool(pool));
    run(&mut world, 40);
    world
}

#[test]
fn a_spare_is_warmed_behind_its_launching_hook_and_then_kept_as_the_pool_says() {
    for (state, target, kept, ec2) in [
        (PoolState::Stopped, Target::WarmedStopped, LifecycleState::WarmedStopped, Ec2State::Stopped),
        (PoolState::Running, Target::WarmedRunning, LifecycleState::WarmedRunning, Ec2State::Running),
        (PoolState::Hibernated, Target::WarmedHibernated, LifecycleState::WarmedHibernated, Ec2State::Stopped),
    ] {
        let mut world = World::new(hooked(2).warm_pool(WarmPool::of(state, 1)));
        let id = spare(&world);
        world.pass(11);
        assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::WarmedPendingWait, Some(target)));
        run(&mut world, 40);
        assert_eq!((world.state(&id), world.ec2(&id), world.target(&id)), (kept, ec2, Some(target)));
        assert_eq!(history(&world, &id)[..3], ["Warmed:Pending", "Warmed:Pending:Wait", "Warmed:Pending:Proceed"]);
        world.pass(1000);
        assert_eq!(world.state(&id), kept, "a spare that is off is not unhealthy");
    }
}

#[test]
fn the_group_grows_from_its_pool_and_the_launching_hook_opens_once_more() {
    let mut world = rested(WarmPool::of(PoolState::Stopped, 1));
    let (id, group) = (spare(&world), world.group.clone());
    world.api().set_desired_capacity(&group, 3).unwrap();
    assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::Pending, Some(Target::WarmedStopped)));
    world.pass(11);
    assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::PendingWait, Some(Target::InService)));
    assert_eq!(world.events.iter().filter(|event| **event == Event::Launch(id.clone())).count(), 2, "its machine is started again");
    run(&mut world, 40);
    assert_eq!(world.state(&id), LifecycleState::InService);
    assert_eq!(hooks_of(&world, &id), [Transition::Launching, Transition::Launching]);
    assert_ne!(spare(&world), id, "the pool is filled again");
}

#[test]
fn a_hibernated_spare_keeps_its_memory_and_wakes_up() {
    let mut world = rested(WarmPool::of(PoolState::Hibernated, 1));
    let (id, group) = (spare(&world), world.group.clone());
    assert!(world.told(&Event::Hibernate(id.clone())) && !world.told(&Event::PowerOff(id.clone())));
    world.api().set_desired_capacity(&group, 3).unwrap();
    run(&mut world, 40);
    assert_eq!(world.state(&id), LifecycleState::InService);
    let launches = world.events.iter().filter(|event| **event == Event::Launch(id.clone())).count();
    assert!(launches == 1 && world.told(&Event::Wake(id)), "it boots once and wakes up once");
}

#[test]
fn an_empty_pool_is_no_reason_to_wait() {
    let mut world = rested(WarmPool::of(PoolState::Stopped, 1));
    let (id, group) = (spare(&world), world.group.clone());
    world.api().update_group(&group, None, Some(4), Some(4)).unwrap();
    let launched: Vec<_> = world.ids().into_iter().filter(|one| world.state(one) == LifecycleState::Pending).collect();
    assert!(launched.len() == 2 && launched.contains(&id), "one from the pool, one launched: {launched:?}");
}

/// A termination hook at `Warmed:Pending:Wait`, and the same instance id in service again later.
#[test]
fn a_scale_in_returns_the_instance_behind_its_terminating_hook() {
    let pool = WarmPool { max_prepared: Some(2), min: 0, ..WarmPool::of(PoolState::Stopped, 0).reusing() };
    let mut world = rested(pool);
    let (id, group) = (world.ids()[0].clone(), world.group.clone());
    assert_eq!(world.region.spare_instances(&group).count(), 0);
    world.api().set_desired_capacity(&group, 1).unwrap();
    assert_eq!(world.state(&id), LifecycleState::WarmedPending);
    world.pass(2);
    assert_eq!(world.target(&id), Some(Target::WarmedStopped), "IMDS says so before the hook opens");
    world.pass(5);
    assert_eq!(world.state(&id), LifecycleState::WarmedPendingWait);
    assert_eq!(hooks_of(&world, &id).last(), Some(&Transition::Terminating));
    assert!(world.instance(&id).powered, "it runs while it is held up");
    run(&mut world, 20);
    assert_eq!((world.state(&id), world.ec2(&id)), (LifecycleState::WarmedStopped, Ec2State::Stopped));
    world.api().set_desired_capacity(&group, 2).unwrap();
    run(&mut world, 40);
    assert_eq!(world.state(&id), LifecycleState::InService);
}

#[test]
fn without_reuse_a_scale_in_terminates() {
    let mut world = rested(WarmPool { max_prepared: Some(2), ..WarmPool::of(PoolState::Stopped, 0) });
    let (id, group) = (world.ids()[0].clone(), world.group.clone());
    world.api().set_desired_capacity(&group, 1).unwrap();
    assert_eq!(world.state(&id), LifecycleState::Terminating);
}

#[test]
fn an_abandoned_way_into_the_pool_ends_the_spare_and_another_is_launched() {
    let mut world = World::new(hooked(1).warm_pool(WarmPool::of(PoolState::Stopped, 1)));
    let id = spare(&world);
    world.pass(11 + 3);
    world.complete(&id, "launch", ActionResult::Abandon).unwrap();
    assert_eq!((world.state(&id), world.target(&id)), (LifecycleState::WarmedTerminating, Some(Target::WarmedTerminated)));
    assert!(world.region.spare_instances(&world.group).any(|other| *other != id));
    run(&mut world, 100);
    assert_eq!((world.ec2(&id), world.instance(&id).member), (Ec2State::Terminated, false));
}

#[test]
fn a_dead_spare_is_replaced() {
    let mut world = rested(WarmPool::of(PoolState::Running, 1));
    let (id, now) = (spare(&world), world.now);
    world.region.hard_kill(&id, now);
    run(&mut world, 100);
    assert!(!world.instance(&id).member && world.region.spare_instances(&world.group).count() == 1);
}

#[test]
fn only_describe_warm_pool_and_its_own_id_tell_of_a_spare() {
    let mut world = rested(WarmPool::of(PoolState::Stopped, 1));
    let (id, group) = (spare(&world), world.group.clone());
    let groups = world.api().describe_groups(&[], &[]);
    assert!(groups[0].members.iter().all(|member| member.id != id), "{groups:?}");
    assert_eq!(groups[0].warm_pool, Some(WarmPool::of(PoolState::Stopped, 1)));
    let (_, spares) = world.api().describe_warm_pool(&group).unwrap();
    assert_eq!(spares.iter().map(|one| (one.id.clone(), one.lifecycle)).collect::<Vec<_>>(), [(id.clone(), LifecycleState::WarmedStopped)]);
    assert_eq!(world.api().describe_auto_scaling_instances(&[id])[0].lifecycle, LifecycleState::WarmedStopped);
}

#[test]
fn a_spare_cannot_be_terminated_detached_or_put_into_standby() {
    let mut world = rested(WarmPool::of(PoolState::Stopped, 1));
    let id = spare(&world);
    refused(
        world.api().terminate_in_group(&id, false),
        "ValidationError",
        &format!("The instance {id} is in a warm pool and cannot be terminated by this call."),
    );
    assert!(world.api().detach(&id, false).is_err() && world.api().enter_standby(&id, false).is_err());
    assert_eq!(world.state(&id), LifecycleState::WarmedStopped);
}

#[test]
fn a_deleted_pool_ends_its_spares_first() {
    let mut world = rested(WarmPool::of(PoolState::Running, 2));
    let group = world.group.clone();
    world.api().delete_warm_pool(&group, false).unwrap();
    assert!(world.api().describe_warm_pool(&group).unwrap().0.is_some(), "it is pending delete");
    refused(
        world.api().put_warm_pool(&group, WarmPool::of(PoolState::Stopped, 1)),
        "ResourceInUse",
        "The warm pool of AutoScalingGroup etcd is pending delete.",
    );
    run(&mut world, 100);
    assert!(world.region.group(&group).unwrap().warm_pool.is_none() && world.ids().len() == 2);
    let mut none = World::in_service(plain(1));
    assert!(none.api().delete_warm_pool(&group, true).is_err());
}

#[test]
fn a_force_deleted_pool_runs_no_hooks() {
    let mut world = rested(WarmPool::of(PoolState::Stopped, 1));
    let (id, group) = (spare(&world), world.group.clone());
    world.api().delete_warm_pool(&group, true).unwrap();
    world.now = world.now + secs(1);
    world.region.settle(world.now);
    assert_eq!(hooks_of(&world, &id), [Transition::Launching]);
}
