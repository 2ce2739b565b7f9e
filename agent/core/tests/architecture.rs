//! The structure of the core, read from its own sources: which module uses which. A rule knows no other rule, the gate knows nothing of the planner, and
//! no circle has more than three modules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod sources;

use std::collections::BTreeSet;

use sources::Sources;

/// The number of modules in one circle at most: with more, one cannot be read without all the others.
const LARGEST_CIRCLE: usize = 3;

#[test]
fn no_circle_has_more_than_three_modules() {
    let core = Sources::read();
    let edges = core.edges();
    assert!(edges.len() > 100 && edges.values().map(BTreeSet::len).sum::<usize>() > 300, "the sources are not read as they are written");
    let circles = sources::circles(&edges);
    let large: Vec<_> = circles.iter().filter(|circle| circle.len() > LARGEST_CIRCLE).collect();
    assert!(large.is_empty(), "circles of more than {LARGEST_CIRCLE}: {large:#?}");
}

#[test]
fn no_rule_knows_another_and_no_subject_a_rule() {
    let core = Sources::read();
    let edges = core.edges();
    let rules: Vec<&&str> = edges.keys().filter(|module| module.starts_with("planner::rules::")).collect();
    assert!(rules.len() > 10, "the rules are not found where they were");
    for (module, used) in
        edges.iter().filter(|(module, _)| module.starts_with("planner::rules::") || module.starts_with("planner::subjects::"))
    {
        let others: Vec<_> = used.iter().filter(|other| other.starts_with("planner::rules") || *other == "planner::leaving").collect();
        assert!(others.is_empty(), "{module} uses {others:?}: what rules share belongs into planner/subjects");
    }
}

#[test]
fn the_gate_knows_nothing_of_the_planner() {
    let core = Sources::read();
    let edges = core.edges();
    let gate: Vec<_> = edges.iter().filter(|(module, _)| **module == "safety" || module.starts_with("safety::")).collect();
    assert!(gate.len() > 10, "the gate is not found where it was");
    for (module, used) in gate {
        let forbidden = ["planner", "situation", "tracker", "cadence", "engine", "explain"];
        let others: Vec<_> = used.iter().filter(|other| forbidden.contains(&other.split("::").next().unwrap())).collect();
        assert!(others.is_empty(), "{module} uses {others:?}");
    }
}

#[test]
fn memory_is_plain_data() {
    let core = Sources::read();
    for (module, used) in core.edges().iter().filter(|(module, _)| module.split("::").next() == Some("memory")) {
        let forbidden = ["planner", "situation", "tracker", "cadence", "engine", "safety"];
        let others: Vec<_> = used.iter().filter(|other| forbidden.contains(&other.split("::").next().unwrap())).collect();
        assert!(others.is_empty(), "{module} uses {others:?}");
    }
}

/// What follows every other quotation mark; no literal of the core escapes one.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

fn is_sentence(literal: &str) -> bool {
    let letters: Vec<char> = literal.chars().collect();
    letters.windows(3).any(|three| three[0].is_ascii_lowercase() && three[1] == ' ' && three[2].is_ascii_lowercase())
}

#[test]
fn no_sentence_stands_outside_of_explain() {
    let core = Sources::read();
    let deciding = core.text.iter().filter(|(module, _)| {
        let top = module.split("::").next().unwrap();
        ["planner", "situation", "tracker"].contains(&top) || *module == "drain::plan"
    });
    let mut judged = 0;
    for (module, text) in deciding {
        judged += 1;
        let sentences: Vec<_> = literals(text).filter(|literal| is_sentence(literal)).collect();
        assert!(sentences.is_empty(), "{module} says {sentences:?}: sentences belong into explain");
    }
    assert!(judged > 40, "the rules are not found where they were");
}
