//! The table of waits in docs/usage/troubleshooting.md is that of [`WaitReason`]. `QUORATE_UPDATE_GOLDEN=1` rewrites it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use quorate_core::policy::Policy;
use quorate_core::wait::WaitReason;

const BEGIN: &str = "<!-- waits: begin, written by the test of that name -->\n";
const END: &str = "<!-- waits: end -->";

fn patience(patience: Duration) -> String {
    match patience.as_secs() {
        0 => "calls at once".to_owned(),
        seconds @ 1..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

fn table() -> String {
    let policy = Policy::default();
    let row = |reason: &WaitReason| {
        format!("| `{reason}` | {} | {} | {} |\n", reason.meaning(), patience(policy.patience(*reason)), reason.remedy())
    };
    let rows: String = WaitReason::ALL.iter().map(row).collect();
    format!("| reason | the node waits until | patience | what you can do |\n|---|---|---|---|\n{rows}")
}

#[test]
fn the_docs_list_each_reason_to_wait() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/usage/troubleshooting.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = written.split_once(BEGIN).unwrap();
    let (table_in_docs, after) = rest.split_once(END).unwrap();
    if std::env::var_os("QUORATE_UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert!(table_in_docs == table(), "the table of waits in the docs is old: `make golden` rewrites it");
}
