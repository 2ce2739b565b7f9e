//! No patience is fed by what has nothing to do with it: what clients write, what another joiner's promotion or arrival adds to etcd's log, and time in which this
//! node did not look.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use quorate_core::engine::Next;
use quorate_core::plan::Step;
use quorate_core::report::RuleId;
use story::Teller;

/// i-a leads. The learner of i-c has caught up, and its agent has ended.
const ABANDONED_LEARNER: &str = "me i-a
hooks none
listed i-a, i-b, i-c
own-state InService
store established generation 1 voters i-a:a1, i-b:b2
disk generation 1 member a1 cluster e1
process running
etcd members i-a:a1, i-b:b2, i-c:c3 learner
peer i-b voter holds b2
peer i-c silent
decide";

/// What happens between two looks.
#[derive(Clone, Copy, Debug)]
enum Between {
    /// The log grows, and the learner follows at this distance.
    Written { entries: u64, lag: u64 },
    /// A joiner asks the agents, and another no longer does.
    Asked(bool),
    /// This node does not look.
    Suspended(u64),
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        8 => (1..5000_u64, 0..2000_u64).prop_map(|(entries, lag)| Between::Written { entries, lag }),
        1 => any::<bool>().prop_map(Between::Asked),
        1 => (30..4000_u64).prop_map(Between::Suspended),
    ]
}

fn told(lines: &str) -> Teller {
    let mut teller = Teller::new("patience");
    lines.lines().for_each(|line| teller.line(line));
    teller
}

struct Log(u64);

impl Log {
    fn happens(&mut self, world: &mut Teller, what: Between) {
        match what {
            Between::Written { entries, lag } => {
                self.0 += entries;
                world.line(&format!("etcd index {}", self.0));
                world.line(&format!("status c3 applied {}", self.0.saturating_sub(lag)));
            }
            Between::Asked(another) => world.line(if another { "peer i-d joining no-data" } else { "peer i-d silent" }),
            Between::Suspended(seconds) => world.line(&format!("suspended {seconds}s")),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(14), ..ProptestConfig::default() })]

    /// It is removed after its patience of watched time, and the gate, which counts for itself, agrees.
    #[test]
    fn a_learner_without_its_agent_is_removed_after_its_patience(happens in prop::collection::vec(between(), 1..60)) {
        let mut teller = told(ABANDONED_LEARNER);
        let mut log = Log(10_000);
        let mut watched = Duration::ZERO;
        let patience = Duration::from_secs(300);
        for turn in 0..200 {
            let before = teller.world.as_ref().unwrap().now;
            log.happens(&mut teller, happens[turn % happens.len()]);
            let w = teller.world.as_mut().unwrap();
            w.now = w.now + Duration::from_secs(3);
            let (_, ready) = w.decide();
            // Of a gap only twice the time counts for which a reading is fresh.
            watched += w.now.since(before).min(w.policy().stale_after * 2);
            prop_assert!(!matches!(ready.next, Next::Refused { .. }), "{:?}", ready.next);
            let removes = ready.plan.report.rule == RuleId::StuckLearner;
            prop_assert!(!removes || watched >= patience - w.policy().stale_after * 2, "it is removed after {watched:?}");
            if removes {
                return Ok(());
            }
            prop_assert!(watched <= patience + Duration::from_secs(40), "it is still there after {watched:?}: {}", ready.plan.report);
        }
    }

    /// A joiner that waits for a learner calls an operator, whatever is written meanwhile and however many learners come and go.
    #[test]
    fn a_wait_for_another_learner_calls_an_operator(happens in prop::collection::vec(between(), 1..60)) {
        let lines = "me i-e
hooks none
listed i-a, i-b, i-c, i-e
own-state InService
store established generation 1 voters i-a:a1, i-b:b2
peer i-a voter holds a1
peer i-b voter holds b2
etcd members i-a:a1, i-b:b2, i-c:c3 learner
decide";
        let mut teller = told(lines);
        let mut log = Log(10_000);
        let patience = { let w = teller.world.as_ref().unwrap(); w.policy().wait_patience + w.policy().learner_patience };
        let mut watched = Duration::ZERO;
        for turn in 0..800 {
            let before = teller.world.as_ref().unwrap().now;
            log.happens(&mut teller, happens[turn % happens.len()]);
            let learner = if turn % 50 < 25 { "i-c:c3" } else { "i-d:d4" };
            teller.line(&format!("etcd members i-a:a1, i-b:b2, {learner} learner"));
            let w = teller.world.as_mut().unwrap();
            w.now = w.now + Duration::from_secs(3);
            let (_, ready) = w.decide();
            watched += w.now.since(before).min(w.policy().stale_after * 2);
            if ready.plan.report.needs_operator {
                prop_assert!(watched >= patience, "an operator is called after {watched:?}");
                return Ok(());
            }
            prop_assert!(watched <= patience + Duration::from_secs(40), "nobody is called after {watched:?}: {}", ready.plan.report);
            let steps = matches!(&ready.plan.step, Some(Step::AddLearner { .. } | Step::RemoveMember { .. }));
            prop_assert!(!steps, "{:?}", ready.plan.step);
        }
    }
}
