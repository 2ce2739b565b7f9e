//! Releases of a distribution with a fault that costs membership, and what fixes it.
//!
//! k3s: <https://github.com/k3s-io/k3s/issues/13623> and its backports (13626 to 13629). A first server that was removed from etcd crashed when it was started
//! again; in the last releases of January 2026, which end in `-k3s3`, it founds an empty cluster of its own. Fixed in February 2026 for 1.32 to 1.35, in the
//! Kubernetes releases of that month.

use std::fmt;

use crate::check::finding::Finding;

/// A release: that of Kubernetes, and the distribution's count, the 3 of `v1.35.0+k3s3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    major: u32,
    minor: u32,
    patch: u32,
    /// A release candidate has the count of its release.
    count: u32,
}

impl Release {
    /// Reads the release from what `k3s --version` writes: `k3s version v1.33.5+k3s1 (5ab06565)`.
    pub(super) fn parse(program: &str, banner: &str) -> Option<Self> {
        let rest = banner.lines().find_map(|line| line.strip_prefix(program)?.trim_start().strip_prefix("version "))?;
        let (kubernetes, own) = rest.split_whitespace().next()?.strip_prefix('v')?.split_once('+')?;
        let mut numbers = kubernetes.split(['.', '-']).map(|number| number.parse().ok());
        let count = own.strip_prefix(program)?.split(['-', '.']).next()?.parse().ok()?;
        Some(Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()??, count })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}, its {}. release", self.major, self.minor, self.patch, self.count)
    }
}

/// The first fixed patch of each minor version of 1.
const MENDED: [(u32, u32); 4] = [(32, 12), (33, 8), (34, 4), (35, 1)];

const ISSUE: &str = "k3s issue 13623";

/// What is known of a release of `program`, for a server.
pub(super) fn judge(program: &str, release: Release) -> Finding {
    let name = format!("{program} release");
    let Release { major, minor, patch, count } = release;
    let (oldest, newest) = (MENDED[0].0, MENDED[MENDED.len() - 1].0);
    let mended = MENDED.iter().find(|(of, _)| *of == minor).map(|(_, mended)| *mended);
    match mended {
        _ if (major, minor) > (1, newest) => {}
        None if (major, minor) < (1, oldest) => {
            let found =
                format!("{release}: a removed first server crashes when it is started ({ISSUE}), and that is not fixed in 1.{minor}");
            return Finding::warning(name, found, format!("use a release that Kubernetes still maintains, 1.{newest} or later"));
        }
        Some(mended) if patch + 1 == mended && count >= 3 => {
            let found =
                format!("{release}: a first server that was removed founds an empty cluster of its own when it is started ({ISSUE})");
            return Finding::problem(name, found, format!("use 1.{minor}.{mended} or later"));
        }
        Some(mended) if patch < mended => {
            let found = format!("{release}: a first server that was removed crashes when it is started ({ISSUE})");
            return Finding::warning(name, found, format!("use 1.{minor}.{mended} or later"));
        }
        _ => {}
    }
    Finding::ok(name, format!("{release}, has no known fault that costs membership"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem, Warning};

    fn release(text: &str) -> Release {
        Release::parse("k3s", &format!("k3s version {text} (5ab06565)\ngo version go1.24.6\n")).unwrap()
    }

    fn verdict(text: &str) -> Verdict {
        judge("k3s", release(text)).verdict
    }

    #[test]
    fn a_release_is_read_from_the_banner() {
        assert_eq!(release("v1.33.5+k3s1"), Release { major: 1, minor: 33, patch: 5, count: 1 });
        assert_eq!(release("v1.35.1-rc2+k3s3"), Release { major: 1, minor: 35, patch: 1, count: 3 });
        for other in ["", "k3s version unknown", "rke2 version v1.33.5+rke2r1 (x)", "k3s version v1.33+k3s1", "k3s version v1.33.5+rke2r1"]
        {
            assert_eq!(Release::parse("k3s", other), None, "{other}");
        }
    }

    #[test]
    fn the_last_releases_of_january_2026_found_a_second_cluster() {
        for text in ["v1.32.11+k3s3", "v1.33.7+k3s3", "v1.34.3+k3s3", "v1.35.0+k3s3"] {
            assert_eq!(verdict(text), Problem, "{text}");
        }
        assert!(judge("k3s", release("v1.35.0+k3s3")).remedy.unwrap().contains("1.35.1 or later"));
    }

    #[test]
    fn older_ones_crash_and_later_ones_are_mended() {
        for text in ["v1.35.0+k3s1", "v1.33.5+k3s1", "v1.32.10+k3s3", "v1.31.14+k3s1", "v1.28.2+k3s3"] {
            assert_eq!(verdict(text), Warning, "{text}");
        }
        for text in ["v1.32.12+k3s1", "v1.33.8+k3s1", "v1.34.4+k3s1", "v1.35.1+k3s1", "v1.35.6+k3s1", "v1.36.0+k3s1"] {
            assert_eq!(verdict(text), Fine, "{text}");
        }
    }
}
