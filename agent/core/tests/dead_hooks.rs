//! When the hooks of a dead instance are completed for it: only after another look at that very instance.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use std::time::Duration;

use quorate_core::cadence::Query;
use quorate_core::ids::InstanceId;
use quorate_core::observation::{LifecycleState, Observation};
use quorate_core::plan::{HookResult, Outcome, Step};
use quorate_core::planner;
use quorate_core::reading::Reading;
use quorate_core::safety::Violation;
use quorate_core::safety::refusal::HookFault;
use story::world::World;
use story::{Teller, because};

/// i-c has left, and its machine stops. The agent of i-b, whose member led until now, may have completed its hook.
const HEIR: &str = "me i-a
hooks terminating 300s
listed i-a, i-b, i-c Terminating:Wait
own-state InService
target InService
store established generation 1 voters i-a:a1, i-b:b2
disk generation 1 member a1 cluster e1
process running
etcd members i-a:a1, i-b:b2
etcd leader b2
peer i-b voter holds b2
peer i-c leaving
decide
peer i-c silent
ec2 i-c shutting-down
time +61s
etcd leader a1";

fn told(lines: &str) -> World {
    let mut teller = Teller::new("dead-hooks");
    lines.lines().for_each(|line| teller.line(line));
    teller.world.take().unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn dead() -> InstanceId {
    InstanceId::new("i-c")
}

/// A look at the world, with the dead one's own entry as it was this long before.
fn look(world: &mut World, place: Option<LifecycleState>, age: Duration) -> Observation {
    let mut seen = world.look();
    seen.cloud.places.insert(dead(), Reading::Fresh(place, world.now - age));
    seen
}

const WAITS: Option<LifecycleState> = Some(LifecycleState::TerminatingWait);

/// Whether planner and gate would complete the hook; both have to agree.
fn completes(world: &World, seen: &Observation) -> bool {
    let plan = planner::plan(seen, world.memory(), world.policy(), world.now);
    let planned = matches!(&plan.step, Some(Step::CompleteHook { instance, .. }) if *instance == dead());
    let gate = world.engine.gate().check(&completion(seen), seen, world.memory(), world.policy(), world.now);
    assert_eq!(planned, gate.is_ok(), "{:?} {gate:?}", plan.step);
    planned
}

fn completion(seen: &Observation) -> Step {
    let hook = seen.cloud.hooks.last().unwrap()[0].hook.clone();
    Step::CompleteHook { hook, instance: dead(), result: HookResult::Continue }
}

fn asks_again(world: &World, seen: &Observation) -> bool {
    world.engine.due(seen, world.now).contains(&Query::Places(vec![dead()]))
}

#[test]
fn an_entry_from_before_its_silence_does_not_tell_what_it_completed_since() {
    let mut world = told(&HEIR.replace("etcd leader b2", "etcd leader a1"));
    let old = look(&mut world, WAITS, secs(62));
    assert!(!completes(&world, &old) && asks_again(&world, &old));
    let new = look(&mut world, WAITS, secs(30));
    assert!(completes(&world, &new) && !asks_again(&world, &new));
}

/// Found by the demo on a busy machine: the agent beside the leader had completed the hook when another member took the lead, and the next agent completed
/// it again, from a list that was older than that.
#[test]
fn who_comes_to_lead_looks_again_at_what_the_one_before_may_have_done() {
    let mut world = told(HEIR);
    // The previous agent may act on what it read for six more seconds, so an answer read now does not count yet.
    let first = look(&mut world, WAITS, Duration::ZERO);
    assert!(!completes(&world, &first) && !asks_again(&world, &first));
    world.now = world.now + secs(7);
    let old = look(&mut world, WAITS, secs(2));
    assert!(!completes(&world, &old) && asks_again(&world, &old));
    let new = look(&mut world, WAITS, Duration::ZERO);
    assert!(completes(&world, &new) && !asks_again(&world, &new));
    world.engine.asked(&Query::Places(vec![dead()]), world.now);
    for done in [Some(LifecycleState::TerminatingProceed), None] {
        let done = look(&mut world, done, Duration::ZERO);
        assert!(!completes(&world, &done));
    }
}

/// Why the gate refuses to complete the hook where the planner believes that this node has led for long.
fn refusal_of_a_short_lead(world: &mut World) -> Option<Violation> {
    let seen = look(world, WAITS, Duration::ZERO);
    let mut memory = world.memory().clone();
    memory.quorum.led = memory.quorum.led.map(|(leader, _)| (leader, world.now - secs(60)));
    let step = planner::plan(&seen, &memory, world.policy(), world.now).step;
    assert_eq!(step, Some(completion(&seen)));
    world.engine.gate().check(&completion(&seen), &seen, &memory, world.policy(), world.now).err().map(|refusal| refusal.why)
}

/// The gate watches for itself who leads.
#[test]
fn the_gate_lets_nobody_complete_who_has_led_for_a_moment() {
    let mut world = told(HEIR);
    let refusal = refusal_of_a_short_lead(&mut world);
    assert_eq!(refusal, because(HookFault::LedTooShort(world.now)));
}

/// While no quorum answers, another may lead and complete the hook.
#[test]
fn a_lead_counts_from_the_return_of_the_quorum() {
    let leads = HEIR.replace("etcd leader b2", "etcd leader a1");
    assert_eq!(refusal_of_a_short_lead(&mut told(&leads)), None);
    let mut world = told(&format!("{leads}\netcd no-quorum\ndecide\netcd quorum"));
    let refusal = refusal_of_a_short_lead(&mut world);
    assert_eq!(refusal, because(HookFault::LedTooShort(world.now)));
}

#[test]
fn after_a_try_in_vain_it_looks_again() {
    let mut world = told(&HEIR.replace("etcd leader b2", "etcd leader a1"));
    let seen = look(&mut world, WAITS, secs(1));
    assert!(completes(&world, &seen));
    let unclear = Outcome::Unclear("no answer".to_owned());
    world.done(&completion(&seen), &unclear);
    let pause = world.policy().aws_hurry;
    world.now = world.now + pause;
    let old = look(&mut world, WAITS, pause + secs(1));
    assert!(!completes(&world, &old) && asks_again(&world, &old));
    let new = look(&mut world, WAITS, Duration::ZERO);
    assert!(completes(&world, &new));
}

#[test]
fn a_lead_that_it_did_not_watch_counts_from_its_waking() {
    let mut world = told(&HEIR.replace("etcd leader b2", "etcd leader a1"));
    world.now = world.now + secs(20);
    let seen = look(&mut world, WAITS, Duration::ZERO);
    assert!(!completes(&world, &seen));
}

/// AWS' answer that no action is open is harmless just after boot, or where another agent was quicker; later, for an agent's own hook, it is trouble.
#[test]
fn an_action_that_is_not_open_yet_is_no_trouble() {
    let lines = "me i-a\nhooks launching 300s\nlisted i-a Pending:Wait\nown-state Pending:Wait\ntarget InService\nstore absent\ndecide";
    let mut world = told(lines);
    let hook = world.look().cloud.hooks.last().unwrap()[0].hook.clone();
    let heartbeat = Step::Heartbeat { hook: hook.clone() };
    let not_open = Outcome::NotOpen("ValidationError: No active Lifecycle Action found with instance ID i-a".to_owned());
    let trouble = |world: &World, step: &Step, outcome: &Outcome| {
        let mut world = world.clone();
        world.done(step, outcome);
        world.memory().last_trouble.clone()
    };
    assert_eq!(trouble(&world, &heartbeat, &not_open), None);
    let refused = Outcome::Refused("rate exceeded".to_owned());
    assert_eq!(trouble(&world, &heartbeat, &refused).as_deref(), Some("rate exceeded"));
    let another = Step::CompleteHook { hook: hook.clone(), instance: dead(), result: HookResult::Continue };
    assert_eq!(trouble(&world, &another, &not_open), None);
    world.now = world.now + world.policy().aws_hurry * 2;
    assert!(trouble(&world, &heartbeat, &not_open).is_some(), "it never opened");
    let own = Step::CompleteHook { hook, instance: InstanceId::new("i-a"), result: HookResult::Continue };
    assert!(trouble(&world, &own, &not_open).is_some(), "its time was over");
}
