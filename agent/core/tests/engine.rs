//! The engine's own promises: what has to be written first, that no refused step is handed out, and that steps in a row end in a pause.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use std::time::Duration;

use quorate_core::engine::Next;
use quorate_core::ids::MemberId;
use quorate_core::memory::Order;
use quorate_core::plan::{Outcome, Step};
use story::Teller;
use story::world::World;

/// i-c is about to be added to the cluster of two others.
const JOINING: &str = "me i-c
hooks none
listed i-a, i-b, i-c
own-state InService
store established generation 1 voters i-a:a1, i-b:b2
peer i-a voter holds a1
etcd members i-a:a1, i-b:b2
lock mine 20s";

fn joining() -> World {
    let mut teller = Teller::new("engine");
    JOINING.lines().for_each(|line| teller.line(line));
    teller.world.take().unwrap()
}

#[test]
fn what_is_not_written_is_asked_for_before_each_step() {
    let mut w = joining();
    let seen = w.observe();
    let first = w.engine.look(&seen, w.now);
    assert!(matches!(first.next, Next::Act(Step::AddLearner { .. })), "{:?}", first.next);
    let kept = first.persist.expect("the engine does not ask for the record that was read to be written");
    assert_eq!(w.engine.look(&seen, w.now).persist.as_ref(), Some(&kept), "a write that failed is asked for again");
    w.engine.persisted(kept);
    assert_eq!(w.engine.look(&seen, w.now).persist, None);
    let mut ordered = w.engine.kept().clone();
    ordered.take_order(Some(Order::Leave));
    w.engine.adopt(ordered);
    assert_eq!(w.engine.look(&seen, w.now).persist, None, "an order is adopted once it is written");
}

#[test]
fn a_step_that_the_gate_refuses_is_not_handed_out() {
    let mut w = joining();
    let seen = w.observe();
    let mut plan = w.engine.decide(&seen, w.now);
    let Some(Step::AddLearner { via, .. }) = plan.step.take() else { panic!("it does not join") };
    plan.step = Some(Step::RemoveMember { via, member: MemberId(0xa1) });
    let ready = w.engine.check(&seen, plan, w.now);
    assert!(matches!(ready.next, Next::Refused { .. }), "{:?}", ready.next);
}

#[test]
fn steps_in_a_row_end_in_a_pause_and_a_refusal_begins_to_count_again() {
    let mut w = joining();
    let mut done = |outcome: &Outcome| w.engine.done(&Step::ForgetOrder, outcome, w.now).look_again;
    assert!((0..40).all(|_| done(&Outcome::Done).is_zero()));
    assert!(!done(&Outcome::Done).is_zero(), "it would spin");
    assert!(done(&Outcome::Refused("no".to_owned())) > Duration::ZERO);
    assert!(done(&Outcome::Done).is_zero());
}
