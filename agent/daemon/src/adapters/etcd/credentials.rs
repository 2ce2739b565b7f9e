//! How members are reached and named: plainly, or as a distribution has it.

use std::fs;
use std::path::{Path, PathBuf};

use etcd_client::{Certificate, Identity, TlsOptions};
use quorate_core::ids::InstanceId;

use super::EtcdError;
use super::membership::instance_of_name;
use crate::adapters::stamp::Stamp;

/// The files with which a distribution's etcd is reached. The distribution makes and renews them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFiles {
    /// The authority that signed the members' certificates.
    pub ca: PathBuf,
    /// The client's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl CredentialFiles {
    /// The state of the files as they are now.
    pub(super) fn stamp(&self) -> Result<[Stamp; 3], EtcdError> {
        let of = |path: &Path| Stamp::of(path).map_err(|source| EtcdError::Credentials { path: path.to_owned(), source });
        Ok([of(&self.ca)?, of(&self.certificate)?, of(&self.key)?])
    }

    /// The authority, and the certificate with its key in one text.
    pub(super) fn for_http(&self) -> Result<(Vec<u8>, Vec<u8>), EtcdError> {
        let read = |path: &Path| fs::read(path).map_err(|source| EtcdError::Credentials { path: path.to_owned(), source });
        let key = if self.key == self.certificate { Vec::new() } else { read(&self.key)? };
        Ok((read(&self.ca)?, [read(&self.certificate)?, key].concat()))
    }

    /// What they hold.
    pub(super) fn read(&self) -> Result<TlsOptions, EtcdError> {
        let read = |path: &Path| fs::read(path).map_err(|source| EtcdError::Credentials { path: path.to_owned(), source });
        let identity = Identity::from_pem(read(&self.certificate)?, read(&self.key)?);
        Ok(TlsOptions::new().ca_certificate(Certificate::from_pem(read(&self.ca)?)).identity(identity))
    }
}

/// The host that the certificate must be for. An IPv6 address is written there without the URL's brackets.
pub(super) fn host(url: &str) -> &str {
    let at = url.split_once("://").map_or(url, |(_, rest)| rest);
    match at.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(v6, |(host, _)| host),
        None => at.split_once(':').map_or(at, |(host, _)| host),
    }
}

/// Whose member this is. A distribution names it `<node>-<8 hex digits>` (k3s `pkg/etcd`, `setName`), and the node is the instance. `None` is a stranger: the
/// name is no instance's in either form.
pub(super) fn instance_of(name: &str) -> Option<InstanceId> {
    let random = |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let node = name.rsplit_once('-').filter(|(node, suffix)| random(suffix) && node.starts_with("i-"));
    instance_of_name(node.map_or(name, |(node, _)| node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_its_instances() {
        for (name, instance) in [
            ("i-0123456789abcdef0-1a2b3c4d", Some("i-0123456789abcdef0")),
            ("i-0123456789abcdef0", Some("i-0123456789abcdef0")),
            ("i-12345678-00000000", Some("i-12345678")),
            // An instance of before 2016, and no suffix.
            ("i-12345678", Some("i-12345678")),
            ("i-0a1-1A2B3C4D", None),
            ("i-0a1-1a2b3c4", Some("i-0a1-1a2b3c4")),
            ("ip-10-0-0-5-1a2b3c4d", None),
        ] {
            assert_eq!(instance_of(name), instance.map(InstanceId::new), "{name}");
        }
    }

    #[test]
    fn the_host_of_a_url_is_bare() {
        assert_eq!((host("https://10.0.0.5:2379"), host("https://[::1]:2379"), host("https://etcd")), ("10.0.0.5", "::1", "etcd"));
    }

    #[test]
    fn files_that_change_are_noticed_and_absent_ones_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name| dir.path().join(name);
        let files = CredentialFiles { ca: file("ca"), certificate: file("crt"), key: file("key") };
        for path in [&files.ca, &files.certificate] {
            fs::write(path, "one").unwrap();
        }
        let error = files.stamp().unwrap_err();
        assert!(matches!(&error, EtcdError::Credentials { path, .. } if *path == files.key), "{error}");
        fs::write(&files.key, "one").unwrap();
        let before = files.stamp().unwrap();
        assert_eq!(files.stamp().unwrap(), before);
        fs::write(file("new"), "two").unwrap();
        fs::rename(file("new"), &files.key).unwrap();
        assert_ne!(files.stamp().unwrap(), before);
    }
}
