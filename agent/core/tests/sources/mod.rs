//! The shape of a crate, read from its own sources: which module uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A crate's modules by path (`planner::rules::leave`; the crate itself has the empty path), with what each says.
pub(crate) struct Sources {
    pub(crate) text: BTreeMap<String, String>,
    /// What a module re-exports under its own name, by full path.
    given_on: BTreeMap<String, String>,
}

impl Sources {
    /// Of the crate whose test this is.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut text = BTreeMap::new();
        read_into(&mut text, &root, "");
        let mut read = Self { text, given_on: BTreeMap::new() };
        for (module, text) in &read.text {
            for path in uses(text).filter(|(public, _)| *public).flat_map(|(_, tree)| flatten(&tree)) {
                let (name, path) = named(&path);
                read.given_on.insert(join(module, &name), absolute(module, &path));
            }
        }
        read
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
    pub(crate) fn edges(&self) -> BTreeMap<&str, BTreeSet<String>> {
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
        used.extend(inline(text).filter_map(|path| self.module_of(&absolute(module, &path))));
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
        let code = source.split("\nmod tests {").next().unwrap();
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

/// The paths into the crate that are written out where they are used.
fn inline(text: &str) -> impl Iterator<Item = String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = text.split(move |c: char| !is_path(c)).filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    words.map(|word| word.trim_end_matches(':').to_owned())
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

/// The modules that use one another, each circle once.
pub(crate) fn circles<'a>(edges: &BTreeMap<&'a str, BTreeSet<String>>) -> BTreeSet<Vec<&'a str>> {
    let reach: BTreeMap<&str, BTreeSet<String>> = edges.keys().map(|module| (*module, reachable(edges, module))).collect();
    let in_circles = reach.iter().filter(|(module, reached)| reached.contains(**module));
    in_circles
        .map(|(module, reached)| {
            reach.keys().filter(|other| reached.contains(**other) && reach[*other].contains(*module)).copied().collect()
        })
        .collect()
}
