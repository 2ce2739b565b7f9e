//! When the hooks of a dead instance are completed for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use std::time::Duration;

use quorate_core::plan::{Plan, Step};
use quorate_core::planner;
use quorate_core::reading::Reading;
use story::Teller;
use story::world::World;

/// i-c has left, and its machine stops.
const LEADER: &str = "me i-a
hooks terminating 300s
listed i-a, i-b, i-c Terminating:Wait
own-state InService
target InService
store established generation 1 voters i-a:a1, i-b:b2
disk generation 1 member a1 cluster e1
process running
etcd members i-a:a1, i-b:b2
etcd leader a1
peer i-b voter holds b2
peer i-c leaving
decide
peer i-c silent
ec2 i-c shutting-down
time +61s";

/// What it decides on a list that was read so long before now.
fn with_a_list_of(world: &mut World, age: Duration) -> Plan {
    let mut seen = world.look();
    let Reading::Fresh(list, at) = seen.cloud.listed else { panic!("there is no list") };
    seen.cloud.listed = Reading::Fresh(list, quorate_core::time::Timestamp(at.0 - u64::try_from(age.as_millis()).unwrap()));
    planner::plan(&seen, &world.memory, &world.policy, world.now)
}

#[test]
fn a_list_from_before_its_silence_does_not_tell_what_it_completed_since() {
    let mut teller = Teller::new("dead-hooks");
    LEADER.lines().for_each(|line| teller.line(line));
    let world = teller.world.as_mut().unwrap();
    let completes = |plan: &Plan| matches!(plan.step, Some(Step::CompleteHook { .. }));
    let old = with_a_list_of(world, Duration::from_secs(62));
    assert!(!completes(&old), "{:?}", old.step);
    let new = with_a_list_of(world, Duration::from_secs(30));
    assert!(completes(&new), "{:?}", new.step);
}
