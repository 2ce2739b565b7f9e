//! Why an etcd exited, from its last log lines. Only reasons that another start would meet again are distinguished.

use quorate_core::etcd_version::StartRefusal;

/// What etcd 3.4 to 3.7 say when the version of the cluster or the data does not fit theirs (`cluster_util.go`, `membership/downgrade.go`, `storage/schema`).
const VERSION: &[&str] = &[
    "incompatible with current running cluster",
    "invalid downgrade; server version is lower than determined cluster version",
    "cluster cannot be downgraded to current version",
    "\" is not supported",
];

const PORT: &str = "bind: address already in use";

/// How Go begins the line that refuses a flag, or its value. The usage follows, so it is seldom among the last.
const FLAGS: &[&str] = &["flag provided but not defined: ", "flag needs an argument: ", "invalid value \"", "invalid boolean value \""];

/// How many lines at the end of a log are searched for the reason.
const LINES: usize = 8;

/// Whether this line refuses a flag.
pub(super) fn refuses_a_flag(line: &str) -> bool {
    FLAGS.iter().any(|begin| line.starts_with(begin))
}

/// Why it exited, by what it wrote since it was started.
pub(super) fn cause(log: &str) -> Option<StartRefusal> {
    let last = || log.lines().rev().filter(|line| !line.trim().is_empty()).take(LINES);
    if last().any(|line| line.contains(PORT)) {
        return Some(StartRefusal::Port);
    }
    if log.lines().any(refuses_a_flag) {
        return Some(StartRefusal::Flag);
    }
    let plain = |line: &str| line.replace("\\\"", "\"");
    last().any(|line| VERSION.iter().any(|text| plain(line).contains(text))).then_some(StartRefusal::Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_flags_and_ports_are_told_from_everything_else() {
        let incompatible = r#"{"level":"fatal","msg":"discovery failed","error":"incompatible with current running cluster"}"#;
        assert_eq!(cause(&format!("{incompatible}\n\n")), Some(StartRefusal::Version));
        let unsupported = r#"{"level":"fatal","msg":"discovery failed","error":"version \"3.7.0\" is not supported"}"#;
        assert_eq!(cause(unsupported), Some(StartRefusal::Version));
        let port = r#"{"level":"fatal","msg":"discovery failed","error":"listen tcp 10.0.0.5:2380: bind: address already in use"}"#;
        assert_eq!(cause(port), Some(StartRefusal::Port));
        let usage = format!("Usage:\n{}", "    etcd help\n".repeat(2 * LINES));
        for flag in ["flag provided but not defined: -no-such-flag", "invalid value \"x\" for flag -heartbeat-interval: parse error"] {
            assert_eq!(cause(&format!("{flag}\n{usage}")), Some(StartRefusal::Flag), "{flag}");
        }
        for other in ["", "panic: freepages: failed to get all reachable pages", "walpb: crc mismatch"] {
            assert_eq!(cause(other), None, "{other}");
        }
        let long_ago = format!("{port}\n{}", "something else\n".repeat(LINES));
        assert_eq!(cause(&long_ago), None, "from an earlier start");
    }
}
