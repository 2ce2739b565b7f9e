//! The planner under thousands of seeded schedules, in virtual time: no invariant breaks, everything that can happen does, and a broken
//! rule is noticed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;
use std::thread::available_parallelism;

use quorate_lab::simulator::{
    CONTROL_PLANE, HARDSHIPS, POLICY_ANY, SEVERAL_GROUPS, Sabotage, Summary, WITHOUT_SNAPSHOTS, replay, run_seed, simulate,
    simulate_sabotaged, steady_aws_calls,
};

/// The number that a test run can afford; `quorate-lab simulate --seeds N` runs more.
const SEEDS: u64 = 10_000;

/// For a control plane: a run of servers takes longer.
const SERVER_SEEDS: u64 = 1_500;

/// With hardships.
const HARD_SEEDS: u64 = 1_500;

/// All of them, run once for the tests that look at them.
static ALL: LazyLock<Summary> = LazyLock::new(|| simulate(0..SEEDS, threads()));

/// Seeds that broke an invariant once, with what was mended since.
const ONCE_BROKEN: &[(u64, &str)] = &[
    (3192, "one NotFound counted as an hour of asking, and a healthy voter was pruned"),
    (42, "a leaving leader promoted nobody, and the last voter's data ended beside a learner that was caught up"),
    (7, "two leavers beside a dead voter: nobody pruned"),
    (206, "a leaver did not start its etcd again, and two intact copies of three lost their quorum"),
    (25, "a spare never completed its launch hook"),
    (356, "a leaver's trim listed a member that etcd did not have, and the gate refused it for ever"),
    (149, "a leaver with data of an older generation could not stop its etcd"),
    (325, "after a lost heartbeat the next came a third of the timeout later"),
    (108, "a joiner that reached nobody put a directory into the trash every second"),
    (13702, "a leaver started an etcd for ever that ended each time, and asked for nobody"),
    (10144, "a record had vanished and quorum was lost, and nobody asked for an operator"),
    (10956, "a leaver without quorum lost its word that only an operator can help"),
    (18455, "a charter was deleted, and an empty cluster founded beside a detached instance that held the data"),
    (1983, "a founder was ordered to leave before it had founded anything, and did not say that it stands in the way"),
    (34773, "a last voter that was retained after it had stopped its etcd never started it again"),
    (281, "a last voter whose disk was wiped could not complete its hook: the gate refused it for ever"),
    (4109, "a detached survivor's recovery was refused by the gate for ever"),
    (1_000_007_166, "a survivor that had claimed waited for one whose disk and key were lost, and called no operator"),
    (16309, "a group in the simulator never noticed an instance that ended in standby, and new nodes waited for it"),
    (2_000_002_492, "a restore met the tombstone of a removal before it, and an unlabelled cluster served in its place"),
];

/// Seeds that break an invariant, which, and why: nothing is lost in any. Each is to leave this list when its cause is mended.
const STILL_BROKEN: &[(u64, &str, &str)] =
    &[(2_000_005_069, "I8", "the only server lost its disk while it was leaving: it waits for a quorum, and its replacement for its word")];

fn threads() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

fn assert_clean(summary: &Summary) {
    let is_known = |seed: u64| STILL_BROKEN.iter().any(|(known, ..)| *known == seed);
    if let Some(first) = summary.failures.iter().find(|failure| !is_known(failure.seed)) {
        panic!("{}{summary}", last_lines(&replay(first.seed), 60));
    }
}

/// Each of these was seen, and at least this percentage of the runs came to rest: a simulator in which nothing happens would pass every other check.
fn assert_lively(summary: &Summary, at_rest: u64, seen: &str) {
    let stats = &summary.stats;
    let missing: Vec<&str> = seen.split_whitespace().filter(|name| stats.named(name).unwrap() == 0).collect();
    assert!(missing.is_empty(), "never seen in {} seeds: {missing:?}", stats.runs);
    assert!(stats.converged * 100 >= stats.runs * at_rest, "only {} of {} runs came to rest", stats.converged, stats.runs);
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n") + "\n"
}

#[test]
fn no_schedule_breaks_an_invariant() {
    println!("{}", *ALL);
    assert_clean(&ALL);
}

/// A seed that settles leaves the list, and one that breaks anything else than it says does not belong there.
#[test]
fn what_is_known_to_be_broken_is_broken_as_it_says() {
    for (seed, invariant, why) in STILL_BROKEN {
        let (_, violation) = run_seed(*seed);
        assert!(violation.as_ref().is_some_and(|violation| violation.invariant == *invariant), "seed {seed} ({why}): {violation:?}");
    }
}

/// They broke before there were snapshots, and are played as they were then, and as they are now.
#[test]
fn what_was_mended_stays_mended() {
    for (seed, what) in ONCE_BROKEN {
        for seed in [seed | WITHOUT_SNAPSHOTS, *seed] {
            let (_, violation) = run_seed(seed);
            if let Some(violation) = violation {
                panic!("{}seed {seed} ({what}): {violation}", last_lines(&replay(seed), 60));
            }
        }
    }
}

/// Two or three groups make one cluster, one in each zone, and a whole zone may be lost.
#[test]
fn no_schedule_of_several_groups_breaks_an_invariant() {
    let summary = simulate(SEVERAL_GROUPS..SEVERAL_GROUPS + SEEDS / 2, threads());
    println!("{summary}");
    assert_clean(&summary);
    assert_lively(&summary, 70, "completed_across_groups zones_lost recovered");
}

/// The same planner where k3s runs etcd: servers are let in, drained and taken out by their Nodes, and somebody restarts them now and then.
#[test]
fn no_schedule_of_a_control_plane_breaks_an_invariant() {
    let summary = simulate(CONTROL_PLANE..CONTROL_PLANE + SERVER_SEEDS, threads());
    println!("{summary}");
    assert_clean(&summary);
    assert_lively(
        &summary,
        65,
        "joined promoted promoted_by_k3s left_by_annotation left pruned drains unplanned_starts own_nodes_deleted dead_nodes_deleted spares \
        snapshots_taken snapshots_deleted changes_with_snapshot changes_without_snapshot total_losses recovered retired",
    );
}

/// Agents that never come back, full disks, members that nobody started, and large snapshots: what can be done is done, and for the rest an operator is called.
#[test]
fn no_schedule_with_hardships_breaks_an_invariant() {
    let summary = simulate(HARDSHIPS..HARDSHIPS + HARD_SEEDS, threads());
    println!("{summary}");
    assert_clean(&summary);
    assert_lively(
        &summary,
        55,
        "agents_gone stood_in not_written strangers strangers_removed slow_learners terminated_as_a_whole promoted pruned",
    );
}

/// Where too few are left for `safe`, the cluster continues from the best of what is left, and nothing else had what that lacks.
#[test]
fn no_schedule_of_policy_any_breaks_an_invariant() {
    let (safe, any) = (simulate(0..SEEDS / 4, threads()), simulate(POLICY_ANY..POLICY_ANY + SEEDS / 4, threads()));
    println!("{any}");
    assert_clean(&any);
    assert!(any.stats.recovered > safe.stats.recovered, "`any` recovers nothing that `safe` does not");
    assert!(any.stats.lost_by_any > 0, "nothing was ever lost that only a dead majority had");
}

#[test]
fn everything_that_can_happen_does() {
    assert_lively(
        &ALL,
        70,
        "founded taken_over promoted pruned left recovered rewritten completed_for_the_dead spares retained notices pauses left_on_notice \
        agent_crashes snapshots_taken snapshots_failed snapshots_broken_off snapshots_deleted drills changes_with_snapshot \
        changes_without_snapshot refused_by_others unclear quorum_lost total_losses halted",
    );
}

#[test]
fn a_seed_tells_the_whole_run() {
    for seed in [0, 51, 1027] {
        assert_eq!(replay(seed), replay(seed));
        assert_eq!(run_seed(seed), run_seed(seed));
        let clean = run_seed(seed).1.is_none();
        assert_eq!(replay(seed).ends_with(&format!("seed {seed} broke nothing\n")), clean, "a story told is the run itself");
    }
}

/// At most 12 calls per voter and hour in steady state: all nodes of an account and region share one budget of Auto Scaling, and a thousand
/// must not empty it.
#[test]
fn a_quiet_day_costs_few_aws_calls() {
    let calls = steady_aws_calls(24);
    println!("{calls:.2} calls per voter and hour");
    assert!((1.0..=12.0).contains(&calls), "{calls} calls per voter and hour");
}

/// Every rule that matters, broken on purpose, is noticed within a few seeds, and as the invariant that it guards.
#[test]
fn a_broken_rule_is_noticed() {
    let cases = [
        (Sabotage::SilenceIsConsent, 8000, "I1"),
        (Sabotage::SilentIsGone, 1000, "I4"),
        (Sabotage::ListsAreAll, 2000, "I1"),
        (Sabotage::CompleteBeforeLeaving, 100, "I5"),
        (Sabotage::CompleteBeforeVoting, 100, "I5"),
        (Sabotage::PromoteWithoutRecord, 100, "I1"),
        (Sabotage::ServeBeforeEstablished, 100, "I1"),
        (Sabotage::RemoveTheSilent, 1000, "I4"),
        (Sabotage::NoHeartbeat, 100, "I5"),
        (Sabotage::NeverPrune, 200, "I8"),
        (Sabotage::StopWithoutLeaving, 200, "I4"),
        (Sabotage::DeafToNotices, 2000, "I3"),
        (Sabotage::ChangeWithoutSnapshot, 100, "I9"),
        (Sabotage::PruneNewest, 100, "I9"),
    ];
    for (sabotage, seeds, invariant) in cases {
        // Where snapshots are left of a deleted charter nothing is founded, whatever a node believes.
        let founds = matches!(sabotage, Sabotage::SilenceIsConsent | Sabotage::ListsAreAll);
        assert!(noticed(sabotage, if founds { WITHOUT_SNAPSHOTS } else { 0 }, seeds, invariant) > 0, "{sabotage:?} went unnoticed");
    }
}

/// In how many seeds from there on it breaks this invariant.
fn noticed(sabotage: Sabotage, from: u64, seeds: u64, invariant: &str) -> usize {
    let summary = simulate_sabotaged(from..from + seeds, threads(), sabotage);
    let noticed = summary.failures.iter().filter(|f| f.violation.invariant == invariant).count();
    println!("{sabotage:?}: {noticed} of {seeds} seeds break {invariant}");
    noticed
}

/// The same for the rules without which a hardship stops the rest.
#[test]
fn a_broken_rule_for_a_hardship_is_noticed() {
    let cases = [(Sabotage::NeverStandIn, 500, "I8"), (Sabotage::RestOnMemory, 500, "I5"), (Sabotage::RemoveReceivers, 500, "I8")];
    for (sabotage, seeds, invariant) in cases {
        let without = noticed(Sabotage::NoGate, HARDSHIPS, seeds, invariant);
        assert!(noticed(sabotage, HARDSHIPS, seeds, invariant) > without, "{sabotage:?} went unnoticed");
    }
}

/// The same for the rules that only a control plane has.
#[test]
fn a_broken_rule_of_a_control_plane_is_noticed() {
    let cases = [
        (Sabotage::AdmitWithoutLock, 200, "I4"),
        (Sabotage::AdmitTwo, 200, "I4"),
        (Sabotage::NameNoServer, 1000, "I1"),
        (Sabotage::DeleteLivingNode, 100, "I3"),
        (Sabotage::LeaveUndrained, 200, "I5"),
        (Sabotage::CompleteBeforeVoting, 100, "I5"),
        (Sabotage::CompleteBeforeLeaving, 100, "I5"),
        (Sabotage::StopWithoutLeaving, 200, "I4"),
        (Sabotage::ChangeWithoutSnapshot, 100, "I9"),
        (Sabotage::PruneNewest, 100, "I9"),
    ];
    for (sabotage, seeds, invariant) in cases {
        assert!(noticed(sabotage, CONTROL_PLANE, seeds, invariant) > 0, "{sabotage:?} went unnoticed");
    }
}

/// Without the gate the planner must do no harm either: both have to be wrong before anything breaks.
#[test]
fn the_planner_alone_does_no_harm() {
    for seeds in [0..SEEDS / 4, CONTROL_PLANE..CONTROL_PLANE + SERVER_SEEDS / 4] {
        let summary = simulate_sabotaged(seeds, threads(), Sabotage::NoGate);
        let harm: Vec<_> = summary.failures.iter().filter(|f| !f.violation.invariant.starts_with("I8")).collect();
        assert!(harm.is_empty(), "{harm:?}");
    }
}
