//! The shape of the agent, read from its own sources: its parts use one another in one direction.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../core/tests/sources/mod.rs"]
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use sources::Sources;

/// `config::check` is of `config`, and `adapters::aws::imds` of `adapters::aws`. Within a part a module and its folder may use each other.
fn part(module: &str) -> String {
    let depth = if module.starts_with("adapters::") { 2 } else { 1 };
    module.split("::").take(depth).collect::<Vec<_>>().join("::")
}

/// Which modules of a part use another part.
fn edges_of_parts(edges: &BTreeMap<&str, BTreeSet<String>>) -> BTreeMap<(String, String), Vec<String>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for (module, used) in edges {
        for other in used.iter().filter(|other| part(other) != part(module)) {
            found.entry((part(module), part(other))).or_default().push(format!("{module} -> {other}"));
        }
    }
    found
}

#[test]
fn no_two_parts_use_each_other() {
    let agent = Sources::read();
    let modules = agent.edges();
    assert!(
        modules.len() > 150 && modules.values().map(BTreeSet::len).sum::<usize>() > 500,
        "the sources are not read as they are written"
    );
    let between = edges_of_parts(&modules);
    let mut parts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (user, used) in between.keys() {
        parts.entry(user).or_default().insert(used.clone());
        parts.entry(used).or_default();
    }
    let told: Vec<_> = sources::circles(&parts)
        .into_iter()
        .map(|circle| {
            let inside = |part: &String| circle.contains(&part.as_str());
            let by = between.iter().filter(|((user, used), _)| inside(user) && inside(used)).flat_map(|(_, by)| by).collect::<Vec<_>>();
            format!("{circle:?} by {by:#?}")
        })
        .collect();
    assert!(told.is_empty(), "circles: {}", told.join("\n"));
}

/// An adapter fetches and executes. What asks it, and what goes on beside the loop, is above it.
#[test]
fn no_adapter_uses_what_is_above_it() {
    let agent = Sources::read();
    for (module, used) in agent.edges().iter().filter(|(module, _)| module.starts_with("adapters::")) {
        let above = ["agent", "check", "clients", "control", "cycle", "drain", "execute", "observe", "published", "rendered", "snapshot"];
        let others: Vec<_> = used.iter().filter(|other| above.contains(&other.split("::").next().unwrap())).collect();
        assert!(others.is_empty(), "{module} uses {others:?}");
    }
}
