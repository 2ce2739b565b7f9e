//! A story is a list of lines that set the world of one node, and of moments at which the node decides.

mod effects;
mod records;
mod telling;
pub(crate) mod words;
pub(crate) mod world;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use quorate_core::safety::Violation;
use words::Words;
use world::World;

/// Tells the story: returns the same text with the node's answers (`> ` lines) rewritten.
pub(crate) fn tell(name: &str, text: &str) -> String {
    let mut teller = Teller::new(name);
    for line in text.lines().filter(|line| !is_answer(line)) {
        teller.line(line);
    }
    std::mem::take(&mut teller.told)
}

/// What the gate says when it refuses for this reason.
pub(crate) fn because(why: impl Into<Violation>) -> Option<Violation> {
    Some(why.into())
}

/// A story that is told line by line.
pub(crate) struct Teller {
    name: String,
    lines: usize,
    pub(crate) told: String,
    pub(crate) world: Option<World>,
}

impl Teller {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), lines: 0, told: String::new(), world: None }
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.lines += 1;
        let _ = writeln!(self.told, "{line}");
        let place = format!("{}:{}", self.name, self.lines);
        for answer in perform(&mut self.world, &Words::new(line, &place)) {
            let _ = writeln!(self.told, "> {answer}");
        }
    }
}

impl Drop for Teller {
    /// A story that cannot continue shows how it got there.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines: Vec<&str> = self.told.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(12)..].join("\n"));
        }
    }
}

/// The rules that decided in a told story.
pub(crate) fn rules_told(told: &str) -> BTreeSet<&str> {
    let headlines = told.lines().filter_map(|line| line.strip_prefix("> ")).filter(|line| !line.starts_with(' '));
    headlines.filter_map(|line| line.split_once(" by ")?.1.split(':').next()).collect()
}

fn is_answer(line: &str) -> bool {
    line.starts_with("> ") || line == ">"
}

/// The first lines that differ, for the failure's message.
pub(crate) fn difference(name: &str, written: &str, told: &str) -> String {
    let mut out = String::new();
    let (mut left, mut right) = (written.lines(), told.lines());
    let (mut number, mut shown) = (0, 0);
    loop {
        let (w, t) = (left.next(), right.next());
        number += 1;
        if (w.is_none() && t.is_none()) || shown == 3 {
            return out;
        }
        if w != t {
            shown += 1;
            let _ = writeln!(out, "{name}:{number}:\n  written {}\n  told    {}", w.unwrap_or("(nothing)"), t.unwrap_or("(nothing)"));
        }
    }
}

fn perform(world: &mut Option<World>, words: &Words<'_>) -> Vec<String> {
    match words.first() {
        "" | "#" => return Vec::new(),
        "me" => *world = Some(World::new(words)),
        verb => {
            let world = world.as_mut().unwrap_or_else(|| words.fail("a story starts with `me INSTANCE`"));
            match verb {
                "decide" => return telling::decide(world),
                "recover" => return telling::recover(world),
                "go" => return telling::go(world, words),
                "done" => effects::done(world, words),
                "refused" | "unclear" => effects::failed(world, words),
                "lost-answer" => effects::lost(world, words),
                _ => world.set(verb, words),
            }
        }
    }
    Vec::new()
}
