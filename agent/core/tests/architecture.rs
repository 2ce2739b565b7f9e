//! The structure of the core, read from its own sources: which module uses which. A rule knows no other rule, the gate knows nothing of the planner, and
//! no circle has more than three modules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The number of modules in one circle at most: with more, one cannot be read without all the others.
const LARGEST_CIRCLE: usize = 3;

/// The core's modules by path (`planner::rules::leave`; the crate itself has the empty path), with what each says.
struct Core {
    text: BTreeMap<String, String>,
    /// What a module re-exports under its own name, by full path.
    given_on: BTreeMap<String, String>,
}

impl Core {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut text = BTreeMap::new();
        read_into(&mut text, &root, "");
        let mut core = Self { text, given_on: BTreeMap::new() };
        for (module, text) in &core.text {
            for path in uses(text).filter(|(public, _)| *public).flat_map(|(_, tree)| flatten(&tree)) {
                let (name, path) = named(&path);
                core.given_on.insert(join(module, &name), absolute(module, &path));
            }
        }
        core
    }

    /// The module in which a path ends, following re-exports.
    fn module_of(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let parts: Vec<&str> = path.split("::").collect();
            let known = (1..=parts.len()).rev().map(|n| parts[..n].join("::")).find(|p| self.text.contains_key(p))?;
            let item = parts.get(known.split("::").count())?;
            match self.given_on.get(&join(&known, item)) {
                Some(other) => path = [other.as_str(), &parts[known.split("::").count() + 1..].join("::")].join("::"),
                None => return Some(known),
            }
        }
        None
    }

    /// The modules that each module uses.
    fn edges(&self) -> BTreeMap<&str, BTreeSet<String>> {
        self.text.iter().map(|(module, text)| (module.as_str(), self.used_by(module, text))).collect()
    }

    fn used_by(&self, module: &str, text: &str) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for path in uses(text).filter(|(public, _)| !*public).flat_map(|(_, tree)| flatten(&tree)) {
            let (name, path) = named(&path);
            let path = absolute(module, &path);
            // An imported module is used through the items that are named in it.
            match self.text.contains_key(&path) {
                true => used.extend(said_of(text, &name).filter_map(|item| self.module_of(&join(&path, &item)))),
                false => used.extend(self.module_of(&path)),
            }
        }
        used.remove(module);
        used
    }
}

fn read_into(text: &mut BTreeMap<String, String>, folder: &Path, module: &str) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            read_into(text, &path, &join(module, &name));
            continue;
        }
        let Some(stem) = name.strip_suffix(".rs").filter(|stem| *stem != "tests") else { continue };
        let module = if stem == "mod" || stem == "lib" { module.to_owned() } else { join(module, stem) };
        let source = fs::read_to_string(&path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
        text.insert(module, code.join("\n"));
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// The trees of all `use` declarations, and whether they are public.
fn uses(text: &str) -> impl Iterator<Item = (bool, String)> {
    let statements = text.split(';').filter_map(|statement| {
        let (before, tree) = statement.rsplit_once("use ")?;
        let start = before.rsplit('\n').next().unwrap_or_default().trim();
        let is_use = start.is_empty() || start.starts_with("pub");
        is_use.then(|| (start.starts_with("pub"), tree.split_whitespace().collect::<Vec<_>>().join(" ")))
    });
    statements.collect::<Vec<_>>().into_iter()
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn flatten(tree: &str) -> Vec<String> {
    let Some((before, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 { parts.push(String::new()) } else { parts.last_mut().unwrap().push(c) }
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(|part| flatten(&format!("{}{part}", before.trim()))).collect()
}

/// The name under which a path is imported, and the path without that name.
fn named(path: &str) -> (String, String) {
    let (path, alias) = path.split_once(" as ").map_or((path, None), |(path, alias)| (path, Some(alias)));
    let path = path.strip_suffix("::self").unwrap_or(path);
    let name = alias.unwrap_or_else(|| path.rsplit("::").next().unwrap());
    (name.to_owned(), path.to_owned())
}

fn absolute(module: &str, path: &str) -> String {
    if let Some(path) = path.strip_prefix("crate::") {
        return path.to_owned();
    }
    let (mut module, mut path) = (module, path);
    while let Some(rest) = path.strip_prefix("super::") {
        (module, path) = (module.rsplit_once("::").map_or("", |(parent, _)| parent), rest);
    }
    join(module, path.strip_prefix("self::").unwrap_or(path))
}

/// The items of a module that a text names: `item` of every `name::item`.
fn said_of(text: &str, name: &str) -> impl Iterator<Item = String> {
    let pattern = format!("{name}::");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let found = text.match_indices(&pattern).filter(|(at, _)| !text[..*at].ends_with(|c: char| is_word(c) || c == ':'));
    let items = found.map(|(at, _)| text[at + pattern.len()..].chars().take_while(|c| is_word(*c)).collect::<String>());
    items.filter(|item| !item.is_empty()).collect::<Vec<_>>().into_iter()
}

/// Everything that a module uses, directly or through others.
fn reachable(edges: &BTreeMap<&str, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let (mut seen, mut todo) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(module) = todo.pop() {
        for next in edges.get(module.as_str()).into_iter().flatten() {
            if seen.insert(next.clone()) {
                todo.push(next.clone());
            }
        }
    }
    seen
}

#[test]
fn no_circle_has_more_than_three_modules() {
    let core = Core::read();
    let edges = core.edges();
    assert!(edges.len() > 100 && edges.values().map(BTreeSet::len).sum::<usize>() > 300, "the sources are not read as they are written");
    let reach: BTreeMap<&str, BTreeSet<String>> = edges.keys().map(|module| (*module, reachable(&edges, module))).collect();
    let circles: BTreeSet<Vec<&str>> = reach
        .iter()
        .filter(|(module, reached)| reached.contains(**module))
        .map(|(module, reached)| {
            reach.keys().filter(|other| reached.contains(**other) && reach[*other].contains(*module)).copied().collect()
        })
        .collect();
    let large: Vec<_> = circles.iter().filter(|circle| circle.len() > LARGEST_CIRCLE).collect();
    assert!(large.is_empty(), "circles of more than {LARGEST_CIRCLE}: {large:#?}");
}

#[test]
fn no_rule_knows_another_and_no_subject_a_rule() {
    let core = Core::read();
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
    let core = Core::read();
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
    let core = Core::read();
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
    let core = Core::read();
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
