//! Where the agent's log lines go, and which are written: to the journal under systemd, otherwise as readable lines to standard error.

use std::io::IsTerminal;

use quorate_core::text::printable;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Overrides `log.level` for one start.
pub const VARIABLE: &str = "QUORATE_LOG";

/// The lowest level that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Something failed that the agent cannot fix.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What the agent does and awaits.
    #[default]
    Info,
    /// Also what passes on its own.
    Debug,
}

impl LogLevel {
    /// The level with this name in the configuration.
    ///
    /// # Errors
    /// There is no such level; the error lists those that exist.
    pub fn parse(name: &str) -> Result<Self, &'static str> {
        match name {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            _ => Err("use error, warn, info or debug"),
        }
    }

    /// The level in the environment, for this start; none if it is not set.
    ///
    /// # Errors
    /// It does not name a level.
    pub fn from_environment() -> Result<Option<Self>, String> {
        let Some(value) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let level = Self::parse(&value.to_string_lossy());
        level.map(Some).map_err(|remedy| format!("{VARIABLE} is {value:?}: {remedy}"))
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}

/// Starts logging, once. `JOURNAL_STREAM` is set by systemd when standard error is the journal's (systemd.exec(5)). Lines of libraries need at least INFO,
/// whatever the level: they are not what an operator asks for.
pub fn start(level: LogLevel) {
    let journal =
        std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok()).map(|layer| layer.with_field_prefix(None));
    let lines = || fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(false);
    let lines = journal.is_none().then(|| lines().fmt_fields(fmt::format::debug_fn(readable).delimited(" ")));
    // The span with cluster and instance is for the journal's fields: on a terminal it would clutter every line.
    let own_lines_only = tracing_subscriber::filter::filter_fn(|meta| meta.is_event() && meta.target().starts_with("quorate"));
    let is_ours_or_matters =
        tracing_subscriber::filter::filter_fn(|meta| meta.target().starts_with("quorate") || *meta.level() <= tracing::Level::INFO);
    let journal = journal.with_filter(is_ours_or_matters);
    let both = tracing_subscriber::registry().with(journal).with(lines.with_filter(own_lines_only)).with(level.filter());
    // A second call, as in tests, keeps the first subscriber.
    let _ = both.try_init();
}

/// Writes a field for people. In the journal `quorate.step` is `QUORATE_STEP`, and `message_id` is `MESSAGE_ID`.
fn readable(writer: &mut fmt::format::Writer<'_>, field: &Field, value: &dyn std::fmt::Debug) -> std::fmt::Result {
    match field.name() {
        "message" => write!(writer, "{value:?}"),
        "message_id" => Ok(()),
        "quorate.reason" => Ok(()),
        name => write!(writer, "{}={value:?}", name.trim_start_matches("quorate.")),
    }
}

/// An error may hold what another side sent: at most this many characters of it are shown.
const LONGEST: usize = 2000;

/// An error with all its causes as one log line without terminal control characters. Some libraries repeat a cause in their own text: it is not written twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    let text = causes.fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") });
    printable(&text, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct Link {
        message: &'static str,
        source: Option<Box<Link>>,
    }

    fn link(message: &'static str, source: Option<Link>) -> Link {
        Link { message, source: source.map(Box::new) }
    }

    #[test]
    fn a_level_that_there_is_not_is_refused_with_those_that_there_are() {
        assert_eq!(
            ["error", "warn", "info", "debug"].map(LogLevel::parse),
            [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug].map(Ok)
        );
        assert_eq!(LogLevel::parse("trace"), Err("use error, warn, info or debug"));
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
