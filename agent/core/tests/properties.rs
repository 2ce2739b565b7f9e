//! Properties over random worlds: mostly consistent ones, torn ones, and wild ones.
//!
//! The gate is tested against naive oracles of its own (`property/oracles.rs`) with every conceivable step in a world, not only with the
//! planner's. The planner is tested against the gate: in a consistent world it never plans what the gate refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a property that does not hold fails its test")]

mod property;
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use proptest::prelude::*;
use quorate_core::memory::Memory;
use quorate_core::plan::{LockPurpose, Start, Step};
use quorate_core::planner;

use property::config::cases;
use property::dice::Dice;
use property::world::World;
use property::{oracles, steps, torn, walk};

/// The randomness of one world. Zeros make the plainest world, and bytes that have run out count as zeros, so a failing world shrinks well.
fn entropy() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

fn world(bytes: &[u8]) -> World {
    torn::world(&mut Dice::new(bytes))
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn the_planner_is_deterministic(bytes in entropy()) {
        let w = world(&bytes);
        let first = planner::plan(&w.seen, &w.memory, &w.policy, w.now);
        prop_assert_eq!(&first, &planner::plan(&w.seen.clone(), &w.memory.clone(), &w.policy.clone(), w.now));
    }

    #[test]
    fn taking_in_the_same_observation_twice_changes_nothing(bytes in entropy()) {
        let w = world(&bytes);
        let mut once: Memory = w.memory.clone();
        quorate_core::tracker::absorb(&mut once, &w.seen, &w.policy, w.now);
        let mut twice = once.clone();
        quorate_core::tracker::absorb(&mut twice, &w.seen, &w.policy, w.now);
        prop_assert_eq!(&once, &twice);
        prop_assert_eq!(planner::plan(&w.seen, &once, &w.policy, w.now), planner::plan(&w.seen, &twice, &w.policy, w.now));
    }

    #[test]
    fn no_unsafe_step_passes_the_gate(bytes in entropy()) {
        let w = world(&bytes);
        let planned = planner::plan(&w.seen, &w.memory, &w.policy, w.now).step;
        for step in steps::thinkable(&w).into_iter().chain(planned) {
            if w.check(&step).is_err() {
                continue;
            }
            if let Err(why) = oracles::judge(&step, &w) {
                prop_assert!(false, "the gate let {:?} through, although {}\n{}", step, why, w);
            }
        }
    }

    #[test]
    fn who_knows_nothing_does_nothing(bytes in entropy()) {
        let mut w = world(&bytes);
        let candidates = steps::thinkable(&w);
        w.forget_all_readings();
        let planned = planner::plan(&w.seen, &w.memory, &w.policy, w.now).step;
        prop_assert!(!planned.as_ref().is_some_and(changes_something), "{:?} is planned on nothing", planned);
        for step in candidates.into_iter().filter(changes_something) {
            let verdict = w.check(&step);
            prop_assert!(verdict.is_err(), "the gate lets {:?} through on nothing\n{}", step, w);
        }
    }

    /// etcd mistakes a directory without a write-ahead log for a new cluster's, and begins one.
    #[test]
    fn etcd_is_never_resumed_without_a_log(bytes in entropy()) {
        let mut w = world(&bytes);
        w.lose_the_log();
        let planned = planner::plan(&w.seen, &w.memory, &w.policy, w.now).step;
        prop_assert!(!planned.as_ref().is_some_and(resumes), "it is planned\n{}", w);
        for step in steps::thinkable(&w).into_iter().filter(resumes) {
            prop_assert!(w.check(&step).is_err(), "the gate lets {:?} through\n{}", step, w);
        }
    }

    /// A pause holds no matter who ordered it and where, and whatever else there is to be done.
    #[test]
    fn nothing_is_done_while_an_operator_has_paused(bytes in entropy(), whose in 0..3_u8) {
        let mut w = world(&bytes);
        w.pause(whose);
        let planned = planner::plan(&w.seen, &w.memory, &w.policy, w.now).step;
        prop_assert!(planned.as_ref().is_none_or(goes_on_while_paused), "{:?} is planned\n{}", planned, w);
        for step in steps::thinkable(&w).into_iter().chain([Step::AcquireLock { via: steps::via(), purpose: LockPurpose::Join }]) {
            let verdict = w.check(&step);
            prop_assert!(verdict.is_err() || goes_on_while_paused(&step), "the gate lets {:?} through\n{}", step, w);
        }
    }
}

proptest! {
    // A walk is about a hundred looks at the world.
    #![proptest_config(cases(1500))]

    #[test]
    fn the_gate_and_the_planner_agree_in_consistent_worlds(bytes in entropy()) {
        if let Err(story) = walk::take(&mut Dice::new(&bytes)) {
            prop_assert!(false, "{}", story);
        }
    }
}

fn goes_on_while_paused(step: &Step) -> bool {
    matches!(step, Step::Heartbeat { .. } | Step::ReleaseLock { .. } | Step::SetPause { .. })
}

fn resumes(step: &Step) -> bool {
    matches!(step, Step::StartMember(Start::Resume { .. }, _))
}

/// A heartbeat is always harmless, and so is the lock: it is a courtesy between agents.
fn changes_something(step: &Step) -> bool {
    !matches!(step, Step::Heartbeat { .. } | Step::AcquireLock { .. } | Step::RenewLock { .. } | Step::ReleaseLock { .. })
}

/// A property over worlds in which nothing ever passes the gate would hold but mean nothing.
#[test]
fn every_kind_of_step_passes_the_gate_in_some_world() {
    let survey = property::survey::take(20_000);
    let never: Vec<_> = property::survey::KINDS.iter().filter(|kind| !survey.passed.contains_key(**kind)).collect();
    assert!(never.is_empty(), "never passed: {never:?}\n{survey}");
    assert!(survey.wrong.is_empty(), "{survey}");
}

/// Walks must reach every rule, because they say nothing about a rule that they never reach.
#[test]
fn walks_come_past_nearly_every_rule() {
    let told: String = (0..1600).map(|seed| walk::tell(&mut Dice::new(&property::survey::bytes(seed)))).collect();
    let rules = story::rules_told(&told);
    for rule in [
        "heartbeat",
        "leave",
        "broken-charter",
        "vanished-record",
        "recover",
        "found",
        "not-permitted",
        "superseded",
        "resume",
        "broken-member",
        "launch-hook",
        "join",
        "prune",
        "dead-hooks",
        "stuck-learner",
        "charter-voters",
        "promote",
        "serve",
    ] {
        assert!(rules.contains(rule), "no walk reaches {rule}: {rules:?}");
    }
}

/// A survey for a developer who changes a rule, not a check: what many walks run into, with the shortest story of each kind. It runs only when
/// QUORATE_WALKS says how many walks to take (`--nocapture` shows it).
#[test]
fn what_walks_run_into() {
    let Some(walks) = std::env::var("QUORATE_WALKS").ok().and_then(|v| v.parse().ok()) else { return };
    println!("{}", property::survey::walks(walks));
}
