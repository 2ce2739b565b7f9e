//! Where the agent's lines go: the journal under systemd, readable lines on standard error otherwise.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Starts logging, once. `JOURNAL_STREAM` is set by systemd when standard error is the journal's (systemd.exec(5)).
pub fn start() {
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let lines =
        journal.is_none().then(|| fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(false));
    let own_lines_only = tracing_subscriber::filter::filter_fn(|meta| meta.target().starts_with("quorate"));
    let both = tracing_subscriber::registry().with(journal).with(lines.with_filter(own_lines_only)).with(LevelFilter::INFO);
    // A second call, as in tests, finds the subscriber set: the first one stands.
    let _ = both.try_init();
}

/// An error with all its causes, for one line of the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
