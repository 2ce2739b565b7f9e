//! Which etcd it is, and whether it accepts its flags. The binary itself is asked, which starts nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use quorate_core::etcd_version::EtcdVersion;
use quorate_core::time::Timestamp;

use crate::adapters::service_manager::banner::{self, Said};
use crate::adapters::service_manager::{Preflight, ServiceError};
use crate::adapters::stamp::Stamp;

/// An older answer is asked for again: a wrapper script stays the same file while it runs another program.
const GOOD_FOR: std::time::Duration = std::time::Duration::from_secs(300);

/// The status of a Go program whose flags cannot be parsed (etcd `etcdmain/config.go`).
const FLAGS_REFUSED: i32 = 2;

/// Asks the binary for its version.
///
/// # Errors
/// It does not exist, or reports no version.
pub(super) async fn ask(etcd: &Path) -> Result<EtcdVersion, ServiceError> {
    let said = banner::ask_with(etcd, &[]).await?;
    parse(&said.stdout).ok_or_else(|| banner::no_version(etcd, said.beginning()))
}

/// Tries these flags: `etcd FLAGS --version` parses them all, prints its version and starts nothing (3.4 to 3.7).
///
/// # Errors
/// It cannot be run, or reports neither a version nor what is wrong with the flags.
pub(super) async fn try_flags(etcd: &Path, flags: &[OsString]) -> Result<Tried, ServiceError> {
    let said = banner::ask_with(etcd, flags).await?;
    judge(&said).ok_or_else(|| banner::no_version(etcd, said.beginning()))
}

/// The result of trying the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It accepts them, and has this version.
    Takes(EtcdVersion),
    /// It knows no such flag, and would ignore it in the environment.
    Unknown(String),
    /// It knows the flag, but not that value.
    Invalid(String),
}

fn judge(said: &Said) -> Option<Tried> {
    if said.status == Some(0) {
        return parse(&said.stdout).map(Tried::Takes);
    }
    // The usage comes after the line that names the flag.
    let line = said.stderr.lines().map(str::trim).find(|line| !line.is_empty()).filter(|_| said.status == Some(FLAGS_REFUSED))?;
    let words = line.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(if line.starts_with("flag provided but not defined") { Tried::Unknown(words) } else { Tried::Invalid(words) })
}

/// Reads the version from what `etcd --version` writes: `etcd Version: 3.5.16`.
fn parse(output: &str) -> Option<EtcdVersion> {
    EtcdVersion::parse(output.lines().find_map(|line| line.strip_prefix("etcd Version:"))?)
}

/// What the file last said.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    stamp: Option<Stamp>,
    at: Timestamp,
    pub(super) answer: Preflight,
}

impl Asked {
    pub(super) fn of(stamp: Option<Stamp>, at: Timestamp, answer: Preflight) -> Self {
        Self { stamp, at, answer }
    }

    /// Whether the file is still the same and was asked recently.
    pub(super) fn is_good(&self, stamp: Option<Stamp>, now: Timestamp) -> bool {
        self.stamp.is_some() && self.stamp == stamp && now.since(self.at) < GOOD_FOR
    }
}

/// What distinguishes this binary from another; none if it cannot be found. A bare name is looked up in `PATH`, as for a start.
pub(super) fn stamp(binary: &Path) -> Option<Stamp> {
    if binary.components().count() > 1 {
        return Stamp::of(binary).ok();
    }
    let all = std::env::var_os("PATH")?;
    let found: Option<PathBuf> = std::env::split_paths(&all).map(|dir| dir.join(binary)).find(|path| path.is_file());
    Stamp::of(&found?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn version(text: &str) -> EtcdVersion {
        EtcdVersion::parse(text).unwrap()
    }

    fn said(status: i32, stdout: &str, stderr: &str) -> Said {
        Said { status: Some(status), stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    #[test]
    fn a_version_is_read_from_the_banner() {
        let banner = "etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8\n";
        assert_eq!(parse(banner), Some(version("3.4")));
        assert_eq!(parse("etcd Version: 3.6.0-rc.1\n"), Some(version("3.6")));
        for other in ["", "etcd Version:", "etcd Version: three", "bash 5.2"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_line_that_names_the_flag_is_kept_and_the_usage_is_not() {
        let usage =
            "flag provided but not defined: -experimental-initial-corrupt-check\nUsage:\n\n  etcd [flags]\n    Start an etcd server.\n";
        let unknown = Tried::Unknown("flag provided but not defined: -experimental-initial-corrupt-check".to_owned());
        assert_eq!(judge(&said(2, "", usage)), Some(unknown));
        let invalid = "invalid value \"x\" for flag -quota-backend-bytes: parse error\nUsage:\n";
        assert!(matches!(judge(&said(2, "", invalid)), Some(Tried::Invalid(words)) if words.ends_with("parse error")));
        assert_eq!(judge(&said(0, "etcd Version: 3.7.3\n", "")), Some(Tried::Takes(version("3.7"))));
        assert_eq!(judge(&said(1, "", "no permission")), None);
        assert_eq!(judge(&said(0, "help", "")), None);
    }

    #[test]
    fn an_answer_is_good_for_the_same_file_and_not_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("etcd");
        assert_eq!(stamp(&path), None);
        std::fs::write(&path, "one").unwrap();
        let (first, now) = (stamp(&path), Timestamp(1_000_000));
        let answer = Preflight { version: version("3.5"), flag_refused: None };
        let asked = Asked::of(first, now, answer.clone());
        assert!(asked.is_good(first, now + Duration::from_secs(299)) && !asked.is_good(first, now + GOOD_FOR));
        std::fs::write(&path, "another").unwrap();
        assert!(!asked.is_good(stamp(&path), now));
        assert!(!Asked::of(None, now, answer).is_good(None, now));
        assert!(stamp(Path::new("sh")).is_some() && stamp(Path::new("no-program-of-this-name")).is_none());
    }
}
