//! Minor releases of etcd, which supports one minor step at a time: which may run together, and the sentence for those that may not.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An etcd's minor release, such as 3.5. Patches of one minor work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EtcdVersion {
    /// The 3 of 3.5.
    pub major: u32,
    /// The 5 of 3.5.
    pub minor: u32,
}

/// The version that a new etcd cluster reports until it has asked its members (etcd `version.MinClusterVersion`).
const UNDECIDED: EtcdVersion = EtcdVersion { major: 3, minor: 0 };

/// The first release that knows `etcdctl downgrade`.
pub(crate) const FIRST_TO_GO_BACK: EtcdVersion = EtcdVersion { major: 3, minor: 6 };

impl EtcdVersion {
    /// Reads a release or the beginning of one: `3.5.16`, `3.6.0-rc.1`, `3.5`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split(['.', '-', '+']);
        let mut number = || parts.next()?.parse().ok();
        Some(Self { major: number()?, minor: number()? })
    }

    /// The cluster's version, once etcd has decided it: for the first seconds of a cluster's life etcd reports 3.0, which does not count.
    #[must_use]
    pub fn decided(self) -> Option<Self> {
        (self > UNDECIDED).then_some(self)
    }

    /// The minor after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self { minor: self.minor.saturating_add(1), ..self }
    }
}

impl fmt::Display for EtcdVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl From<EtcdVersion> for String {
    fn from(version: EtcdVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for EtcdVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no release of etcd"))
    }
}

/// The thing whose version this node's etcd must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The etcd cluster's.
    Cluster,
    /// The data's on this disk.
    Data,
    /// A snapshot's.
    Snapshot,
}

/// Two versions that etcd does not support together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionGap {
    /// The etcd here.
    pub own: EtcdVersion,
    /// The version that it does not fit.
    pub other: EtcdVersion,
    /// What has that version.
    pub whose: Whose,
}

/// Why this node's etcd is not started, because another start would fail in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartRefusal {
    /// Its version does not fit.
    Version,
    /// It does not know a flag that it is to be given, or its value.
    Flag,
    /// Another process listens where it is to listen.
    Port,
    /// What an agent of a later version may add.
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> EtcdVersion {
        EtcdVersion::parse(text).unwrap()
    }

    fn gap(own: &str, other: &str, whose: Whose) -> String {
        VersionGap { own: version(own), other: version(other), whose }.to_string()
    }

    #[test]
    fn a_release_is_read_up_to_its_minor() {
        for (text, minor) in [("3.4.23", 4), ("3.6.0-rc.1", 6), ("3.5.21-k3s1+x", 5), (" 3.5\n", 5), ("3.10.1", 10), ("3.6-alpha", 6)] {
            assert_eq!(EtcdVersion::parse(text), Some(EtcdVersion { major: 3, minor }), "{text}");
        }
        for other in ["", "3", "three", "3.x", "-3.5", "not_decided", "v3.5"] {
            assert_eq!(EtcdVersion::parse(other), None, "{other}");
        }
        assert!(version("3.9") < version("3.10") && version("3.10") < version("4.0"));
    }

    #[test]
    fn a_new_clusters_placeholder_is_no_version() {
        assert_eq!((version("3.0").decided(), version("3.4").decided()), (None, Some(version("3.4"))));
    }

    #[test]
    fn it_is_written_as_operators_write_it() {
        assert_eq!(serde_json::to_string(&version("3.5.16")).unwrap(), "\"3.5\"");
        assert_eq!(serde_json::from_str::<EtcdVersion>("\"3.5\"").unwrap(), version("3.5"));
        assert!(serde_json::from_str::<EtcdVersion>("\"five\"").is_err());
        assert_eq!(serde_json::from_str::<StartRefusal>("\"moon\"").unwrap(), StartRefusal::Other);
    }

    #[test]
    fn a_gap_names_both_versions_and_the_step_between() {
        assert_eq!(
            gap("3.7", "3.5", Whose::Cluster),
            "etcd here is 3.7, the cluster runs 3.5: etcd supports one minor at a time; bake an image with 3.6 first"
        );
        assert!(gap("3.5", "3.6", Whose::Cluster).contains("3.6 or 3.7, or downgrade the cluster first (`etcdctl downgrade enable 3.5`"));
        assert!(!gap("3.4", "3.6", Whose::Cluster).contains("downgrade"), "etcd can be downgraded by one minor only");
        assert!(!gap("3.4", "3.5", Whose::Cluster).contains("downgrade"), "3.5 does not know how");
        assert!(gap("3.5", "3.6", Whose::Snapshot).contains("the snapshot was taken from 3.6: an older etcd"));
        assert!(gap("3.6", "3.4", Whose::Data).contains("bake an image with 3.5 first"));
    }
}
