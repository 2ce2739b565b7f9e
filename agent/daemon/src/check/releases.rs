//! Releases of etcd with faults that cost data or membership, and what fixes them.
//!
//! From etcd's changelogs (CHANGELOG-3.4.md to CHANGELOG-3.7.md) and the issues named.

use super::finding::Finding;

/// A release of etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release(pub(super) u32, pub(super) u32, pub(super) u32);

impl Release {
    /// Reads the release from what `etcd --version` writes; a release candidate counts as its release.
    pub(super) fn parse(banner: &str) -> Option<Self> {
        let text = banner.lines().find_map(|line| line.strip_prefix("etcd Version:"))?;
        let mut parts = text.trim().split(['.', '-', '+']);
        let mut number = || parts.next()?.parse().ok();
        Some(Self(number()?, number()?, number()?))
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The releases from the first one with the fault up to the one that fixes it.
struct Band {
    from: Release,
    mended: Release,
    fault: &'static str,
    /// It loses acknowledged writes in a cluster run as quorate runs it.
    loses_data: bool,
}

const fn band(from: Release, mended: Release, fault: &'static str) -> Band {
    Band { from, mended, fault, loses_data: false }
}

const BANDS: &[Band] = &[
    Band {
        from: Release(3, 5, 0),
        mended: Release(3, 5, 3),
        fault: "a member that is killed under load can lose committed writes (etcd issue 13766)",
        loses_data: true,
    },
    band(Release(3, 4, 0), Release(3, 4, 38), DEFRAG),
    band(Release(3, 5, 0), Release(3, 5, 23), DEFRAG),
    band(Release(3, 6, 0), Release(3, 6, 5), DEFRAG),
    band(Release(3, 5, 0), Release(3, 5, 7), "a learner that was never started can be promoted (pull request 15096)"),
    band(
        Release(3, 5, 1),
        Release(3, 5, 32),
        "after rolling replacements, which is what a group does, an upgrade to 3.6 can fail or bring members back (issues 19557, 20793, 20967)",
    ),
    band(Release(3, 6, 0), Release(3, 6, 4), "a start that replays a learner's promotion can fail (3.6.4)"),
    band(
        Release(3, 6, 0),
        Release(3, 6, 6),
        "with etcd's own authentication on, a follower cannot forward a promotion (pull request 20874)",
    ),
    band(Release(3, 5, 0), Release(3, 5, 31), UPDATE),
    band(Release(3, 6, 0), Release(3, 6, 12), UPDATE),
];

const DEFRAG: &str = "data can be damaged when a member is defragmented while it catches up (pull requests 20650, 20653, 20659)";
const UPDATE: &str = "changing a learner's URL by hand promotes it (pull requests 21736, 21737)";

/// The oldest that has learners.
const OLDEST: Release = Release(3, 4, 0);
/// The first release after the newest minor one that quorate knows.
const UNKNOWN: Release = Release(3, 8, 0);
/// Since when 3.4 gets no more fixes.
const ENDED: &str = "3.4 has had no more fixes since 2026-06-01";

/// What is known of a release.
pub(super) fn judge(release: Release) -> Finding {
    let name = "etcd release";
    if release < OLDEST {
        return Finding::problem(name, format!("{release} has no learners"), "install etcd 3.5 or later");
    }
    if release >= UNKNOWN {
        return Finding::warning(name, format!("{release} is newer than any that quorate was tested with"), "use 3.4 to 3.7");
    }
    let here: Vec<_> = BANDS.iter().filter(|band| (band.from..band.mended).contains(&release)).collect();
    let mut faults: Vec<_> = here.iter().map(|band| band.fault).collect();
    faults.extend((release < Release(3, 5, 0)).then_some(ENDED));
    let Some(remedy) = remedy(release, here.iter().map(|band| band.mended).max()) else {
        return Finding::ok(name, format!("{release} has no known fault that costs data or membership"));
    };
    let found = format!("{release}: {}", faults.join("; "));
    if here.iter().any(|band| band.loses_data) { Finding::problem(name, found, remedy) } else { Finding::warning(name, found, remedy) }
}

fn remedy(release: Release, mended: Option<Release>) -> Option<String> {
    if release < Release(3, 5, 0) {
        return Some("upgrade to the newest 3.5, which has every fix there is, one member at a time".to_owned());
    }
    Some(format!("upgrade to {} or later of {}.{}, one member at a time", mended?, release.0, release.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem, Warning};

    fn verdict(major: u32, minor: u32, patch: u32) -> Verdict {
        judge(Release(major, minor, patch)).verdict
    }

    #[test]
    fn a_release_is_read_from_the_banner() {
        assert_eq!(Release::parse("etcd Version: 3.4.23\nGit SHA: Not provided\n"), Some(Release(3, 4, 23)));
        assert_eq!(Release::parse("etcd Version: 3.6.0-rc.1\n"), Some(Release(3, 6, 0)));
        assert_eq!(Release::parse("etcd Version: 3.5.21-k3s1+x\n"), Some(Release(3, 5, 21)));
        assert_eq!(Release::parse("etcd Version: 3.5"), None);
    }

    #[test]
    fn releases_that_lose_writes_are_a_problem_and_the_next_one_is_none() {
        for patch in 0..=2 {
            assert_eq!(verdict(3, 5, patch), Problem, "3.5.{patch}");
        }
        assert_eq!(verdict(3, 5, 3), Warning);
    }

    #[test]
    fn a_band_ends_with_the_release_that_mends_it() {
        for (mended, minor) in [(32, 5), (12, 6)] {
            assert_eq!((verdict(3, minor, mended - 1), verdict(3, minor, mended)), (Warning, Fine), "3.{minor}.{mended}");
        }
        assert_eq!(verdict(3, 7, 0), Fine);
        assert!(judge(Release(3, 5, 22)).found.contains("defragmented"));
        assert!(!judge(Release(3, 5, 23)).found.contains("defragmented"));
        assert!(judge(Release(3, 5, 22)).remedy.unwrap().contains("3.5.32"));
    }

    #[test]
    fn what_is_too_old_ended_or_unheard_of_is_told() {
        assert_eq!((verdict(3, 3, 27), verdict(3, 4, 45), verdict(3, 8, 0), verdict(4, 0, 0)), (Problem, Warning, Warning, Warning));
        assert!(judge(Release(3, 4, 45)).found.contains("2026-06-01"));
    }
}
