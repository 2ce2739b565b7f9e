//! Golden stories: what one node sees, line by line, and what it decides and says.
//!
//! Each file in `stories/` is a test and a piece of documentation. Lines starting with `> ` are the node's answers; rewrite them with
//! `QUORATE_UPDATE_GOLDEN=1 cargo test --profile lab -p quorate-core --test stories`, and read the difference before committing it.
//! The words that a story may use are in `stories/README.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a story that cannot be told fails its test")]

#[allow(dead_code, reason = "the walks of properties.rs use the rest")]
mod story;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use quorate_core::report::RuleId;

/// Every rule of the planner's tables: a rule that appears in no story is not documented.
fn rules() -> BTreeSet<&'static str> {
    RuleId::ALL.into_iter().map(RuleId::name).collect()
}

fn stories() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut all: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    all.sort();
    assert!(!all.is_empty(), "there are no stories");
    all
}

#[test]
fn every_story_is_told_as_written() {
    let update = std::env::var_os("QUORATE_UPDATE_GOLDEN").is_some_and(|v| v == "1");
    let mut wrong = String::new();
    for path in stories() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let written = fs::read_to_string(&path).unwrap();
        let Ok(told) = std::panic::catch_unwind(|| story::tell(&name, &written)) else {
            let _ = writeln!(wrong, "{name} cannot be told: see above");
            continue;
        };
        if told == written {
            continue;
        }
        if update {
            fs::write(&path, &told).unwrap();
        } else {
            wrong.push_str(&story::difference(&name, &written, &told));
        }
    }
    assert!(wrong.is_empty(), "stories differ from what is written (QUORATE_UPDATE_GOLDEN=1 rewrites them):\n{wrong}");
}

#[test]
fn every_rule_has_a_story() {
    let told: String = stories().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let named: BTreeSet<&str> = story::rules_told(&told);
    let rules = rules();
    let untold: Vec<_> = rules.difference(&named).collect();
    assert!(untold.is_empty(), "these rules appear in no story: {untold:?}");
    let unknown: Vec<_> = named.difference(&rules).filter(|rule| **rule != "none").collect();
    assert!(unknown.is_empty(), "these rules are not in the planner's table: {unknown:?}");
}

#[test]
fn a_story_without_answers_gets_them_and_a_wrong_answer_is_seen() {
    let text = "me i-a\ndisk unknown\ndecide\n";
    let told = story::tell("inline", text);
    assert_ne!(told, text);
    assert_eq!(story::tell("inline", &told), told, "telling a told story again changes nothing");
    let wrong = told.replace("starting", "voter");
    assert_ne!(wrong, told);
    assert_eq!(story::tell("inline", &wrong), told);
    assert!(story::difference("inline", &wrong, &told).contains("inline:"));
}
