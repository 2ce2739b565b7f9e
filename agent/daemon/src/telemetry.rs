//! Where the agent's lines go: the journal under systemd, readable lines on standard error otherwise.

use std::io::IsTerminal;

use quorate_core::text::printable;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Starts logging, once. `JOURNAL_STREAM` is set by systemd when standard error is the journal's (systemd.exec(5)).
pub fn start() {
    let journal =
        std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok()).map(|layer| layer.with_field_prefix(None));
    let lines = || fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(false);
    let lines = journal.is_none().then(|| lines().fmt_fields(fmt::format::debug_fn(readable).delimited(" ")));
    // The span that names cluster and instance is for the journal's fields: on a terminal it would fill every line.
    let own_lines_only = tracing_subscriber::filter::filter_fn(|meta| meta.is_event() && meta.target().starts_with("quorate"));
    let both = tracing_subscriber::registry().with(journal).with(lines.with_filter(own_lines_only)).with(LevelFilter::INFO);
    // A second call, as in tests, finds the subscriber set: the first one stands.
    let _ = both.try_init();
}

/// A field as a person reads it. In the journal `quorate.step` is `QUORATE_STEP`, and `message_id` is `MESSAGE_ID`.
fn readable(writer: &mut fmt::format::Writer<'_>, field: &Field, value: &dyn std::fmt::Debug) -> std::fmt::Result {
    match field.name() {
        "message" => write!(writer, "{value:?}"),
        "message_id" => Ok(()),
        "quorate.reason" => Ok(()),
        name => write!(writer, "{}={value:?}", name.trim_start_matches("quorate.")),
    }
}

/// An error may hold what another side sent: at most this many characters of it are told.
const LONGEST: usize = 2000;

/// An error with all its causes, for one line of the log, in which nothing steers a terminal. Some libraries repeat a cause in their own text: it is not said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    let text = causes.fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") });
    printable(&text, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{says}")]
    struct Link {
        says: &'static str,
        source: Option<Box<Link>>,
    }

    fn link(says: &'static str, source: Option<Link>) -> Link {
        Link { says, source: source.map(Box::new) }
    }

    #[test]
    fn every_cause_is_said_once() {
        let error = link("cannot write: disk full", Some(link("disk full", Some(link("quota of 1 GiB", None)))));
        assert_eq!(chain(&error), "cannot write: disk full: quota of 1 GiB");
    }

    #[test]
    fn what_the_other_side_sent_steers_no_terminal_and_fills_no_journal() {
        assert_eq!(chain(&link("no answer", Some(link("<html>\u{1b}[2J\r\nx", None)))), r"no answer: <html>\u{1b}[2J  x");
        assert!(chain(&link("no answer", Some(link(Box::leak("y".repeat(100_000).into_boxed_str()), None)))).len() < 2100);
    }
}
