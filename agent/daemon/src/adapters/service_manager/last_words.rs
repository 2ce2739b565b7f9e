//! Why a program ended, in its own words: the line of its log that says so, which is seldom the last.

use serde::Deserialize;

use super::ended;

/// An entry of etcd's structured log. Its stack trace is left out.
#[derive(Deserialize)]
struct Entry {
    level: String,
    msg: String,
    #[serde(default)]
    error: Option<String>,
}

/// How much a line says of the program's end, the most last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Written by the runtime, about itself.
    Trace,
    /// Anything else.
    Plain,
    Error,
    Fatal,
}

/// The most telling line of what the program wrote since it was started; among lines that say as much, the last.
pub(super) fn of(log: &str) -> String {
    let lines = log.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let best = lines.map(|line| (weight(line), line)).max_by_key(|(weight, _)| *weight);
    let words = best.map_or_else(|| "it wrote nothing".to_owned(), |(_, line)| told(line));
    words.chars().take(300).collect()
}

/// What etcd 3.4 and later write first when they start.
const BEGINNINGS: &[&str] = &["\"msg\":\"Running: \"", "etcdmain: etcd Version:"];

/// Why the program ended of itself, if its last run did: the line that ends a program, or of a panic the runtime's own. For one who has only the log, and does not
/// know where the last run begins in it.
pub(super) fn of_end(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().map(str::trim_end).collect();
    let begun = lines.iter().rposition(|line| BEGINNINGS.iter().any(|words| line.contains(words))).unwrap_or(0);
    let ends = |line: &&&str| weight(line) == Weight::Fatal || line.starts_with("panic: ") || line.starts_with("fatal error: ");
    let last = lines[begun..].iter().filter(ends).max_by_key(|line| weight(line))?;
    Some(told(last).chars().take(300).collect())
}

fn weight(line: &str) -> Weight {
    if let Some(entry) = entry(line) {
        return match entry.level.as_str() {
            "fatal" | "panic" => Weight::Fatal,
            "error" => Weight::Error,
            _ => Weight::Plain,
        };
    }
    let is_trace =
        line.starts_with([' ', '\t', '[']) || line.starts_with("goroutine ") || line.starts_with("created by ") || line.ends_with(')');
    match line {
        // The first line of a panic of Go repeats what the entry before it says, and stands alone where there is none.
        line if line.starts_with("panic: ") || line.starts_with("fatal error: ") => Weight::Error,
        line if ended::refuses_a_flag(line) || line.contains("flag provided but not defined") || line.contains(" C | ") => Weight::Fatal,
        // Kubernetes' and k3s' logs: "F1130 ..." and level=fatal.
        line if line.contains("level=fatal") || line.contains("level=panic") => Weight::Fatal,
        line if line.contains(" E | ") || line.contains("level=error") => Weight::Error,
        _ if is_trace => Weight::Trace,
        _ => Weight::Plain,
    }
}

fn entry(line: &str) -> Option<Entry> {
    line.starts_with('{').then(|| serde_json::from_str(line).ok())?
}

fn told(line: &str) -> String {
    match entry(line) {
        Some(Entry { msg, error: Some(error), .. }) => format!("{msg}: {error}"),
        Some(Entry { msg, .. }) => msg,
        None => line.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What etcd 3.5 writes when its database is damaged, shortened.
    const DAMAGED: &str = r#"{"level":"info","ts":"2026-11-30T10:00:00Z","caller":"etcdmain/etcd.go:73","msg":"Running: ","args":["etcd"]}
{"level":"panic","ts":"2026-11-30T10:00:01Z","caller":"backend/backend.go:189","msg":"failed to open database","path":"/d/member/snap/db","error":"invalid database","stacktrace":"go.etcd.io/etcd"}
panic: failed to open database

goroutine 1 [running]:
go.uber.org/zap/zapcore.(*CheckedEntry).Write(0xc000168000, {0xc0000a0b40, 0x2, 0x2})
	go.uber.org/zap@v1.17.0/zapcore/entry.go:234 +0x499
"#;

    #[test]
    fn the_entry_that_ended_it_is_told_with_its_error_and_not_a_line_of_the_stack() {
        assert_eq!(of(DAMAGED), "failed to open database: invalid database");
        let fatal = r#"{"level":"fatal","msg":"discovery failed","error":"incompatible with current running cluster"}"#;
        assert_eq!(
            of(&format!("{fatal}\n{}", r#"{"level":"info","msg":"closing"}"#)),
            "discovery failed: incompatible with current running cluster"
        );
    }

    #[test]
    fn flags_and_the_old_form_of_the_log_are_understood() {
        let flag = "flag provided but not defined: -no-such-flag\nUsage:\n\n  etcd [flags]\n    Start an etcd server.\n";
        assert_eq!(of(flag), "flag provided but not defined: -no-such-flag");
        let value = "invalid value \"x\" for flag -heartbeat-interval: parse error\nUsage:\n\n  etcd [flags]\n    Start an etcd server.\n";
        assert!(of(value).starts_with("invalid value"), "{}", of(value));
        let old = "2026-11-30 10:00:00 I | etcdmain: etcd Version: 3.4.23\n2026-11-30 10:00:01 C | etcdmain: listen tcp 10.0.0.5:2380: bind: address already in use\n";
        assert!(of(old).ends_with("bind: address already in use"), "{}", of(old));
        let runtime = "{\"level\":\"info\",\"msg\":\"ready\"}\nfatal error: runtime: out of memory\n\nruntime stack:\nruntime.throw(0x1)\n";
        assert_eq!(of(runtime), "fatal error: runtime: out of memory");
    }

    #[test]
    fn a_log_alone_tells_only_what_ended_the_last_run() {
        assert_eq!(of_end(DAMAGED).as_deref(), Some("failed to open database: invalid database"));
        let flag = "flag provided but not defined: -no-such-flag\nUsage:\n";
        assert_eq!(of_end(&format!("{DAMAGED}{flag}")).as_deref(), Some("flag provided but not defined: -no-such-flag"));
        let error = r#"{"level":"error","msg":"lost a peer"}"#;
        let closed = r#"{"level":"info","msg":"closed etcd server"}"#;
        let again = format!("{DAMAGED}{}\n{error}\n{closed}\n", DAMAGED.lines().next().unwrap());
        assert_eq!(of_end(&again), None, "its last run was stopped");
        assert_eq!(
            of_end("fatal error: runtime: out of memory\n\nruntime stack:\n").as_deref(),
            Some("fatal error: runtime: out of memory")
        );
        assert_eq!(of_end(""), None);
    }

    #[test]
    fn without_an_error_the_last_line_is_told_and_nothing_is_said_of_nothing() {
        assert_eq!(of("one\ntwo\n\n"), "two");
        assert_eq!(of("\n"), "it wrote nothing");
        assert_eq!(of(&"x".repeat(1000)).len(), 300);
    }
}
