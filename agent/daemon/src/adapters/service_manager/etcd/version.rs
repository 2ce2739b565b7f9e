//! Which etcd it is, for the flags that differ.

use std::path::Path;

use crate::adapters::service_manager::{ServiceError, banner};

/// An etcd's major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EtcdVersion {
    /// The 3 of 3.5.
    pub major: u32,
    /// The 5 of 3.5.
    pub minor: u32,
}

impl EtcdVersion {
    /// Asks the binary.
    ///
    /// # Errors
    /// It is not there, or says no version.
    pub async fn ask(etcd: &Path) -> Result<Self, ServiceError> {
        let text = banner::ask(etcd).await?;
        Self::parse(&text).ok_or_else(|| banner::no_version(etcd, text.chars().take(200).collect()))
    }

    /// Reads it from what `etcd --version` writes: `etcd Version: 3.5.16`.
    #[must_use]
    pub fn parse(output: &str) -> Option<Self> {
        let text = output.lines().find_map(|line| line.strip_prefix("etcd Version:"))?;
        let mut parts = text.trim().split('.');
        let mut number = || parts.next()?.parse().ok();
        Some(Self { major: number()?, minor: number()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_from_the_banner() {
        let banner = "etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8\n";
        assert_eq!(EtcdVersion::parse(banner), Some(EtcdVersion { major: 3, minor: 4 }));
        assert_eq!(EtcdVersion::parse("etcd Version: 3.6.0-rc.1\n"), Some(EtcdVersion { major: 3, minor: 6 }));
        for other in ["", "etcd Version:", "etcd Version: three", "bash 5.2"] {
            assert_eq!(EtcdVersion::parse(other), None, "{other}");
        }
    }
}
